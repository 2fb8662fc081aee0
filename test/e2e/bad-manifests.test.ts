import fs from 'node:fs'
import { expect } from 'chai'
import type { PluginSummary } from '../../src/contract/plugin-info.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { TestDaemon } from '../helpers/daemon.ts'

interface BadManifest {
  readonly text: string | Buffer
  /** `line:column` behind the file's name. */
  readonly place: string
  readonly words: RegExp
  /** Files beside it. */
  readonly files?: Readonly<Record<string, string>>
}

const healthy = { 'index.js': 'export default { operations: {} }' }

/** By folder name. */
const BAD: Readonly<Record<string, BadManifest>> = {
  empty: { text: '', place: '1:1', words: /\[plugin\]/ },
  not_toml: { text: '[plugin]\nid = "not_toml"\nname = = "x"\n', place: '3:8', words: /name|value|TOML/ },
  unknown_key: {
    text: manifestText('unknown_key', 'lisence = "MIT"\n'),
    place: '7:1',
    words: /plugin\.lisence.*Did you mean "license"\?/,
    files: healthy,
  },
  wrong_type: {
    text: manifestText('wrong_type', '[resource_limits]\nmax_memory_mb = "much"\n'),
    place: '8:1',
    words: /resource_limits\.max_memory_mb.*"much"/,
    files: healthy,
  },
  no_entry: { text: manifestText('no_entry'), place: '6:1', words: /index\.js.*(not exist|missing|no such)/ },
  no_module: {
    text: manifestText('no_module').replace('"javascript"', '"wasm"').replace('index.js', 'plugin.wasm'),
    place: '6:1',
    words: /plugin\.wasm.*(not exist|missing|no such)/,
  },
  entry_outside: {
    text: manifestText('entry_outside').replace('index.js', '../echoes/index.js'),
    place: '6:1',
    words: /entry_point.*\.\.\/echoes\/index\.js/,
  },
  entry_no_program: {
    text: manifestText('entry_no_program').replace('"javascript"', '"native"'),
    place: '6:1',
    words: /entry_point.*"index\.js": it has no run bit\. Set it: chmod \+x/,
    files: healthy,
  },
  entry_absolute: {
    text: manifestText('entry_absolute').replace('index.js', '/etc/passwd'),
    place: '6:1',
    words: /entry_point/,
  },
  ten_megabytes: { text: Buffer.alloc(10_000_000, '#'), place: '1:1', words: /1048576|1 MiB|larger|bytes/ },
  nul_bytes: {
    text: Buffer.from('[plugin]\nid = "nul\0bytes"\n'),
    place: '2:',
    words: /control|NUL|TOML|character/i,
  },
  all_nul: { text: Buffer.alloc(1000), place: '1:', words: /control|NUL|TOML|character/i },
}

const SCHEMAS = `[[operations]]
name = "fine"
[[operations]]
name = "broken"
input_schema = { type = "strng" }
[[operations]]
name = "from_file"
input_schema = "its.json"
[[messages]]
type = "told"
input_schema = { maxLenght = 3 }
[configuration]
type = "object"
required = "name"
`
/** Their schemas are looked at by whoever compiles them: at the start of the plugin, or for `phantom validate`. */
const BAD_SCHEMAS = {
  'plugins/bad_schemas/plugin.toml': manifestText('bad_schemas', SCHEMAS),
  'plugins/bad_schemas/its.json': '{ "pattern": "(" }',
  'plugins/bad_schemas/index.js': 'export default { operations: {} }',
}

describe('A plugin directory full of bad manifests', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let listed: PluginSummary[]

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes'],
      files: {
        ...filesOf(BAD),
        'plugins/no_manifest/index.js': 'export default {}',
        ...BAD_SCHEMAS,
        'plugins/a_first/plugin.toml': manifestText('claimed_twice'),
        'plugins/a_first/index.js': 'export default { operations: { who: () => "a_first" } }',
        'plugins/b_second/plugin.toml': manifestText('claimed_twice'),
        'plugins/b_second/index.js': 'export default { operations: { who: () => "b_second" } }',
        'plugins/wants_network/plugin.toml': asking('wants_network', 'network:*'),
        'plugins/wants_network/index.js': 'export default { operations: {} }',
        'plugins/wants_process/plugin.toml': asking('wants_process', 'process'),
        'plugins/wants_process/index.js': 'export default { operations: {} }',
        'plugins/wants_requests/plugin.toml': manifestText(
          'wants_requests',
          '[resource_limits]\nmax_network_requests = 100\n',
        ),
        'plugins/wants_requests/index.js': 'export default { operations: { fine: () => "fine" } }',
      },
    })
    listed = await daemon.system.list_plugins()
  })
  after(() => daemon.stop())

  for (const [name, bad] of Object.entries(BAD)) {
    it(`shows ${name} as invalid, with file, line and column, and refuses to run it`, async () => {
      const summary = listed.find(({ path }) => path === daemon.world.path('plugins', name))
      expect(summary?.state).to.equal('invalid')
      const file = daemon.world.path('plugins', name, 'plugin.toml')
      expect(summary?.reason).to.contain(`${file}:${bad.place}`)
      expect(summary?.reason).to.match(bad.words)
      const error = await daemon.refusal(summary!.id, 'fine')
      expect(error.code).to.equal('MANIFEST_INVALID')
      expect(error.message).to.contain(`${file}:${bad.place}`)
      const { issues } = await daemon.info(summary!.id)
      expect(issues.some(({ severity, line, column }) => severity === 'error' && line >= 1 && column >= 1)).to
        .be.true
    })
  }

  it('shows each schema that does not compile with file, line and column, before a start and at it', async () => {
    const folder = daemon.world.path('plugins/bad_schemas')
    const { valid, issues } = await daemon.system.validate_plugin(folder)
    expect(valid).to.equal(false)
    expect(issues.map(({ file, line, column, field }) => [file, line, column, field])).to.deep.equal([
      [`${folder}/plugin.toml`, 11, 1, 'operations[1].input_schema'],
      [`${folder}/plugin.toml`, 14, 1, 'operations[2].input_schema'],
      [`${folder}/plugin.toml`, 17, 1, 'messages[0].input_schema'],
      [`${folder}/plugin.toml`, 18, 2, 'configuration'],
    ])
    const [type, pattern, keyword, list] = issues.map(({ message }) => message)
    expect(type).to.match(/^Cannot use "operations\[1\]\.input_schema": it is no JSON Schema.*: type must be/)
    expect(pattern).to.match(/Invalid regular expression/)
    expect(keyword).to.contain('"maxLenght" is no keyword of JSON Schema')
    expect(list).to.contain('required must be array')
    const error = await daemon.refusal('bad_schemas', 'fine')
    expect(error.code).to.equal('MANIFEST_INVALID')
    expect(error.message).to.match(/^Cannot start "bad_schemas": its plugin\.toml is invalid: /)
    expect(error.message).to.contain(`${folder}/plugin.toml:11:1: Cannot use "operations[1].input_schema"`)
    expect(error.details['issues']).to.deep.equal(issues)
  })

  it('does not take a folder without a manifest for a plugin', async () => {
    expect(listed.map(({ path }) => path)).not.to.include(daemon.world.path('plugins/no_manifest'))
    const error = await daemon.refusal('no_manifest', 'fine')
    expect(error.code).to.equal('PLUGIN_NOT_FOUND')
    expect(error.message).to.contain(`"${daemon.world.path('plugins/no_manifest')}" has no plugin.toml`)
    expect((await daemon.refusal('nowhere', 'fine')).message).to.contain('List them with "phantom list"')
  })

  it('gives a clashing id to the first folder, and tells the second one where the first lies', async () => {
    const second = listed.find(({ path }) => path === daemon.world.path('plugins/b_second'))
    expect(second).to.deep.include({ id: 'claimed_twice@b_second', state: 'invalid' })
    expect(second?.reason).to.contain(`${daemon.world.path('plugins/b_second/plugin.toml')}:2:1`)
    expect(second?.reason).to.contain(daemon.world.path('plugins/a_first'))
    expect((await daemon.call('claimed_twice', 'who')).result).to.equal('a_first')
    expect((await daemon.refusal('claimed_twice@b_second', 'who')).code).to.equal('MANIFEST_INVALID')
  })

  for (const kind of ['network', 'process']) {
    it(`lets a plugin wait for a person that asks for all of ${kind}, in words`, async () => {
      const summary = listed.find(({ id }) => id === `wants_${kind}`)
      expect(summary?.state).to.equal('blocked')
      expect(summary?.reason).to.contain(`"${kind}`).and.to.contain('high risk')
      const error = await daemon.refusal(`wants_${kind}`, 'fine')
      expect(error.code).to.equal('PLUGIN_BLOCKED')
      expect(error.message).to.contain(`phantom approve wants_${kind}`)
    })
  }

  it('warns of no limit, since all are held', async () => {
    const { issues, state } = await daemon.info('wants_requests')
    expect(state).to.equal('enabled')
    expect(issues).to.deep.equal([])
    expect((await daemon.call('wants_requests', 'fine')).result).to.equal('fine')
  })

  it('runs the healthy plugin beside all of them', async () => {
    expect((await daemon.call('echoes', 'echo', 'well')).result).to.equal('well')
    const { plugins } = await daemon.system.get_status()
    expect(plugins.by_state['invalid']).to.equal(Object.keys(BAD).length + 1)
  })

  it('says the same of a folder that it is only asked to check', async () => {
    const folder = daemon.world.path('plugins/wrong_type')
    const report = await daemon.system.validate_plugin(folder)
    expect(report).to.deep.include({ valid: false, path: fs.realpathSync(folder) })
    expect(report.issues[0]).to.deep.include({ line: 8, column: 1, severity: 'error' })
  })
})

function filesOf(manifests: Readonly<Record<string, BadManifest>>): Record<string, string | Buffer> {
  const files = Object.entries(manifests).flatMap(([name, { text, files: beside = {} }]) => [
    [`plugins/${name}/plugin.toml`, text] as const,
    ...Object.entries(beside).map(([file, content]) => [`plugins/${name}/${file}`, content] as const),
  ])
  return Object.fromEntries<string | Buffer>(files)
}

function asking(id: string, permission: string): string {
  return manifestText(id, `[permissions]\npermissions = ["${permission}"]\n`)
}
