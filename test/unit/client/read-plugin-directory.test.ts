import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { readPluginDirectory } from '../../../src/client/read-plugin-directory.ts'
import { isPhantomError } from '../../../src/index.ts'

describe('readPluginDirectory()', () => {
  let folder: string

  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-'))))
  after(() => fs.rmSync(folder, { recursive: true }))

  function write(name: string, text: string): string {
    fs.writeFileSync(path.join(folder, name), text)
    return path.join(folder, name)
  }

  it('is ./plugins where nothing says otherwise', () => {
    const found = readPluginDirectory({ configDirectory: undefined, environment: 'test', variables: {} })
    expect(found).to.equal(path.resolve('plugins'))
  })

  it('lets the environment win over the defaults, the named file over both, the variable over all', () => {
    const sources = { configDirectory: folder, environment: 'test', variables: {} }
    const configFile = write('here.yaml', 'plugins: { directory: /here }\n')
    const found = [readPluginDirectory(sources)]
    write('default.yaml', 'plugins:\n  directory: ./all\n')
    found.push(readPluginDirectory(sources))
    write('test.yaml', 'plugins: { directory: tested }\n')
    found.push(readPluginDirectory(sources), readPluginDirectory({ ...sources, configFile }))
    const variables = { PHANTOM_PLUGINS_DIRECTORY: './by-variable' }
    found.push(readPluginDirectory({ ...sources, configFile, variables }))
    const expected = ['plugins', 'all', 'tested', '/here', 'by-variable']
    expect(found).to.deep.equal(expected.map((name) => path.resolve(name)))
  })

  it('passes over a file without the key, and over one that has something else there', () => {
    write('default.yaml', 'plugins: { directory: all }\n')
    write('test.yaml', 'plugins: { directory: [1] }\n')
    const configFile = write('here.yaml', '')
    const sources = { configDirectory: folder, environment: 'test', configFile, variables: {} }
    expect(readPluginDirectory(sources)).to.equal(path.resolve('all'))
  })

  it('names a file that cannot be read, and one that is named and not there', () => {
    for (const configFile of [write('broken.yaml', 'plugins: [\n'), path.join(folder, 'nowhere.yaml')]) {
      const sources = { configDirectory: undefined, environment: 'test', configFile, variables: {} }
      expect(() => readPluginDirectory(sources))
        .to.throw(configFile)
        .that.satisfies(isPhantomError)
    }
  })
})
