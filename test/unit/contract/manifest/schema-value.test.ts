import { expect } from 'chai'
import { found, HEAD, only } from '../../../helpers/parsed-manifest.ts'

describe('parseManifest() on schemas', () => {
  const operation = (schema: string): string =>
    `${HEAD}[[operations]]\nname = "a"\ninput_schema = ${schema}\n`
  const nested = (levels: number): string => '{ not = '.repeat(levels - 1) + '{}' + ' }'.repeat(levels - 1)

  it('refuses the keyword format wherever it is one, with its place', () => {
    const text = operation(`{
  type = "object",
  properties = {
    when = { type = "string", format = "date" },
    "odd \\u0041" = { items = [ { anyOf = [ { format = "uri" } ] } ] }
  }
}`)
    const issues = found(text)
    expect(issues).to.have.length(2)
    expect(issues[0]).to.match(
      /^12:31 operations\[0\]\.input_schema\.properties\.when\.format: .*not supported yet by this version\. Use "pattern"/,
    )
    expect(issues[1]).to.match(
      /^13:46 operations\[0\]\.input_schema\.properties\."odd A"\.items\[0\]\.anyOf\[0\]\.format: /,
    )
    expect(only(`${HEAD}[configuration.properties.when]\nformat = "date"\n`)).to.match(
      /^8:1 configuration\.properties\.when\.format: /,
    )
  })

  it('holds a schema to 32 levels', () => {
    expect(found(operation(nested(32)))).to.deep.equal([])
    expect(only(operation(nested(33)))).to.match(
      /^9:\d+ operations\[0\]\.input_schema\.not.*deeper than the 32 levels/,
    )
    expect(only(`${HEAD}[configuration]\n${'a.'.repeat(5_000)}b = 1\n`)).to.match(/deeper than the 32 levels/)
  })

  it('holds a schema to 256 KiB', () => {
    const big = JSON.stringify({ description: 'ä'.repeat(128 * 1024) })
    expect(only(operation('"big.json"'), { 'big.json': big })).to.match(
      /the schema has 262162 bytes, at most 262144/,
    )
  })

  it('refuses what JSON cannot say', () => {
    expect(only(operation('{ default = 1979-05-27 }'))).to.match(
      /^9:18 .*found a date or time, which JSON cannot say/,
    )
    expect(only(operation('{ maximum = inf }'))).to.match(/found the number Infinity, which JSON/)
    expect(only(operation('{ maximum = 99999999999999999999 }'))).to.match(/found an integer beyond/)
  })

  it('refuses __proto__ in a schema, inline and in a file', () => {
    expect(only(operation('{ properties = { __proto__ = {} } }'))).to.match(
      /^9:33 .*may not speak of "__proto__"/,
    )
    const file = '{"properties":{"__proto__":{"type":"string"}}}'
    expect(only(operation('"s.json"'), { 's.json': file })).to.match(
      /^9:1 .*in the file "s\.json", properties\.__proto__: /,
    )
    expect(({} as Record<string, unknown>)['type']).to.equal(undefined)
  })

  const files: readonly (readonly [string, string, RegExp])[] = [
    ['is missing', '"none.json"', /"none\.json": it does not exist\. Mend the file/],
    ['is no .json', '"schema.yaml"', /"schema\.yaml" does not end in \.json/],
    ['leaves the folder', '"../schema.json"', /leaves the plugin folder/],
    ['has an absolute path', '"/etc/schema.json"', /is an absolute path/],
    ['is not JSON', '"broken.json"', /"broken\.json" is not JSON: .*Mend the file/],
    ['is an array', '"array.json"', /found an array, expected a JSON Schema/],
    ['is nested too deeply', '"deep.json"', /deeper than the 32 levels/],
    ['uses format', '"format.json"', /in the file "format\.json", items\.format: .*not supported yet/],
  ]
  for (const [what, value, words] of files) {
    it(`says at the operation's line that a schema file ${what}`, () => {
      const text = only(operation(value), {
        'broken.json': '{',
        'array.json': '[]',
        'deep.json': `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
        'format.json': '{"items":{"format":"email"}}',
      })
      expect(text).to.match(words)
      expect(text).to.match(/^9:1 operations\[0\]\.input_schema: /)
    })
  }
})
