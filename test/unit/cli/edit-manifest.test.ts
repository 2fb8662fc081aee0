import { expect } from 'chai'
import { parse } from 'smol-toml'
import { addToManifest } from '../../../src/cli/edit-manifest.ts'

const HEAD = '# my plugin\n[plugin]\nid = "a" # the id\n'
const ADDED = { permissions: ['fs_read:./a "b"', 'process'], runtime: ['eval', 'sqlite'] }

describe('addToManifest()', () => {
  const forms: readonly [string, string][] = [
    ['no table', HEAD],
    ['no table and no last line end', HEAD.trimEnd()],
    ['a table without the key', `${HEAD}\n[permissions] # rights\n\n[runtime]\nconcurrency = 2\n`],
    ['an empty list', `${HEAD}[permissions]\npermissions = [] # none\n`],
    ['one line', `${HEAD}[permissions]\npermissions = ["env:TZ"] # why\n[runtime]\neval = false # not yet\n`],
    ['a quote in an item', `${HEAD}[permissions]\npermissions = ["fs_read:./\\"x\\\\", 'env:TZ']\n`],
    [
      'many lines',
      `${HEAD}[permissions]\npermissions = [\n  # dates\n  "env:TZ", # local ones\n  "fs_read:./d" # data\n]\n`,
    ],
    [
      'many lines with a last comma',
      `${HEAD}[permissions]\npermissions = [\n\t"env:TZ",\n\t# end\n]\n[runtime]\neval = false\n`,
    ],
    ['dotted keys', `permissions.permissions = ["env:TZ"]\n${HEAD}`],
  ]
  for (const [what, text] of forms) {
    it(`adds to a manifest with ${what}, and changes nothing else`, () => {
      const after = addToManifest(text, ADDED)
      const before = (parse(text) as Shape).permissions?.permissions ?? []
      const { permissions, runtime } = parse(after) as Shape
      expect(permissions?.permissions).to.eql([...before, ...ADDED.permissions])
      expect(runtime).to.include({ eval: true, sqlite: true })
      for (const comment of text.match(/#.*$/gm) ?? []) expect(after).to.contain(comment)
      expect(addToManifest(after, ADDED), 'twice').to.equal(after)
    })
  }

  it('keeps one permission a line where they stand so', () => {
    const text = '[permissions]\npermissions = [\n  "env:TZ", # local\n]\n'
    expect(addToManifest(text, { permissions: ['process'], runtime: [] })).to.equal(
      '[permissions]\npermissions = [\n  "env:TZ", # local\n  "process",\n]\n',
    )
  })

  it('gives nothing where it can not do it without changing more', () => {
    const inline = `runtime = { concurrency = 2 }\n${HEAD}`
    expect(() => addToManifest(inline, { permissions: [], runtime: ['eval'] })).to.throw(
      'Put the lines in by hand',
    )
  })
})

interface Shape {
  readonly permissions?: { readonly permissions?: readonly string[] }
  readonly runtime?: Record<string, unknown>
}
