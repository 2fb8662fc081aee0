import { expect } from 'chai'
import { issueText } from '../../../../src/contract/manifest/issue-list.ts'
import { found, HEAD, parse } from '../../../helpers/parsed-manifest.ts'

describe('parseManifest() places', () => {
  it('finds keys behind comments, strings, quoted and dotted keys and headers of every form', () => {
    const issues = found(`# [runtime] x = 1
[ "plugin" ] # id = 3
id = 'sample'
name = "x"
description = """[runtime]
evil = "1" \\""" # """"
version = '''1.0.0'''
'type' = "javascript"
"entry_\\u0070oint" = "index.js"
  bad1 = "a # b" # c
[ runtime ]
 bad2.deep = { a = [ "]", '}' ], bad = { } }
[restart]\r
bad3 = [ { a = 1 }, # ] }
  2 ]
[[operations]]
name = "a"
[[operations]]
name = "b"
bad4 = 1979-05-27 07:32:00
[operations.input_schema.properties.x]
format = "f"
`)
    expect(issues.map((issue) => issue.slice(0, issue.indexOf(': ')))).to.deep.equal([
      '10:3 plugin.bad1',
      '12:2 runtime.bad2',
      '14:1 restart.bad3',
      '20:1 operations[1].bad4',
      '22:1 operations[1].input_schema.properties.x.format',
    ])
  })

  it('points at the nearest header for a key that is not there', () => {
    const [missing] = found('[runtime]\n\n  [plugin]\nid="a"\nname="a"\nversion="1.0.0"\ntype="wasm"\n')
    expect(missing).to.match(/^3:4 plugin\.entry_point: .*it is missing/)
  })
})

describe('parseManifest() on hostile text', () => {
  const many = 300_000
  const hostile: Record<string, string> = {
    'open arrays': `a = ${'['.repeat(100_000)}`,
    'closed arrays': `a = ${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    'inline tables': `a = ${'{a='.repeat(100_000)}`,
    'dotted keys': `[configuration]\n${'a.'.repeat(20_000)}a = 1`,
    'a dotted header': `[${'a.'.repeat(20_000)}a]`,
    'an integer of 300,000 digits': `[runtime]\nconcurrency = ${'9'.repeat(many)}`,
    'a key of 300,000 letters': `${'x'.repeat(many)} = 1`,
    '20,000 unknown keys': `[plugin]\n${Array.from({ length: 20_000 }, (_, index) => `verzion${index} = 1`).join('\n')}`,
    '20,000 operations': '[[operations]]\n'.repeat(20_000),
    'a string that does not end': `[plugin]\nid = """${'a'.repeat(many)}`,
    'lone surrogates': '[plugin]\nid = "\ud800"\n\ud800 = 1',
  }
  for (const [what, text] of Object.entries(hostile)) {
    it(`answers ${what} with few, short issues`, () => {
      const { manifest, issues } = parse(text)
      expect(manifest).to.equal(null)
      expect(issues.length).to.be.within(1, 101)
      for (const issue of issues) expect(issueText(issue).length).to.be.below(1500)
    })
  }

  it('never throws, whatever piece of a manifest it gets', () => {
    const whole = `${HEAD}[[tags]]\ntags=["a"]\n[[operations]]\nname="a"\ninput_schema={ a = { b = '''c''' } }\n[configuration]\nx."y".z = [1, {a=2}]\n`
    for (let end = 0; end <= whole.length; end += 1) {
      parse(whole.slice(0, end))
      parse(whole.slice(end))
      parse(`${whole.slice(0, end)}"${whole.slice(end)}`)
      parse(`${whole.slice(0, end)}]${whole.slice(end + 1)}`)
    }
  })

  it('counts what it does not show', () => {
    const keys = Array.from({ length: 250 }, (_, index) => `key${index} = 1`).join('\n')
    const { issues } = parse(`${HEAD}${keys}\n`)
    expect(issues).to.have.length(101)
    expect(issues.at(-1)?.message).to.match(/150 more were found/)
  })
})
