import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { create_sample_plugin_config } from '../../../src/client/sample-plugin-config.ts'
import type { PhantomError } from '../../../src/contract/phantom-error.ts'
import { plugin, write } from '../../helpers/plugin-folders.ts'

const CONFIGURATION = `
[runtime]
log_level = "warn"

[configuration]
type = "object"
required = ["enabled", "token", "size", "region", "pool", "ratio", "list"]

[configuration.properties]
enabled = { type = "boolean", default = true }
batch_size = { type = "number", default = 100 }
token = { type = "string", minLength = 8 }
size = { type = "integer", minimum = 3 }
ratio = { type = "number", exclusiveMinimum = 0 }
region = { enum = ["eu", "us"] }
list = { type = ["array", "null"] }
pool = { "$ref" = "#/$defs/pool" }
note = { type = "string" }

[configuration."$defs".pool]
type = "object"
required = ["host"]
[configuration."$defs".pool.properties]
host = { type = "string" }
port = { type = "integer", default = 5432 }
`
const EMPTY = { development: {}, production: {}, test: {} }

describe('create_sample_plugin_config()', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-sample-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('gives what the specification edits, at once and without a plugin', () => {
    const config = create_sample_plugin_config('my_plugin', folder)
    config.environments.production = { debug: false, batch_size: 1000 }
    config['batch_size'] = 5
    expect(config).to.eql({
      enabled: true,
      log_level: 'info',
      verbose: false,
      batch_size: 5,
      environments: { ...EMPTY, production: { debug: false, batch_size: 1000 } },
    })
    expect(create_sample_plugin_config('my_plugin', path.join(folder, 'none')).environments).to.eql(EMPTY)
    expect(create_sample_plugin_config('../../etc', folder).environments).to.eql(EMPTY)
  })

  it("has the plugin's defaults, and something of the right kind for what it requires", () => {
    plugin(path.join(folder, 'my_plugin'), 'my_plugin', CONFIGURATION)
    expect(create_sample_plugin_config('my_plugin', folder)).to.eql({
      enabled: true,
      log_level: 'warn',
      verbose: false,
      batch_size: 100,
      token: 'text----',
      size: 3,
      ratio: 1,
      region: 'eu',
      list: [],
      pool: { host: 'text', port: 5432 },
      environments: EMPTY,
    })
  })

  it('finds a plugin in a folder of another name, and one that is built in', () => {
    plugin(
      path.join(folder, 'folder-of-another-name'),
      'hidden',
      '[configuration.properties]\na = { default = 1 }\n',
    )
    expect(create_sample_plugin_config('hidden', folder)).to.include({ a: 1 })
    expect(create_sample_plugin_config('data_processor', folder)).to.include({ enabled: true })
  })

  it('says what is wrong with the manifest of the plugin it was asked for', () => {
    write(path.join(folder, 'broken/plugin.toml'), '[plugin]\nid = "broken"\n')
    expect(() => create_sample_plugin_config('broken', folder))
      .to.throw(/Cannot make a sample configuration of "broken": its manifest is wrong\n.*plugin\.toml:/)
      .that.satisfies((error: PhantomError) => error.code === 'MANIFEST_INVALID')
    expect(create_sample_plugin_config('my_plugin', folder)).to.include({ batch_size: 100 })
  })
})
