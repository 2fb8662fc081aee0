import { expect } from 'chai'
import * as fc from 'fast-check'
import { MANIFEST_KEYS, MANIFEST_SECTIONS, sectionHeader } from '../../src/contract/manifest/manifest-keys.ts'
import { fuzz, textOf } from '../helpers/fuzz.ts'
import { HEAD, parse } from '../helpers/parsed-manifest.ts'

const KEYS = MANIFEST_SECTIONS.flatMap((section) => MANIFEST_KEYS[section] ?? [])
const VALUES = [
  '0',
  '-1',
  '1e400',
  'nan',
  '9223372036854775807',
  '99999999999999999999',
  'true',
  '""',
  '"x"',
  '"../x"',
  '"/etc/passwd"',
  "'''x\ny'''",
  '[]',
  '[[[[1]]]]',
  '["fs_read:/"]',
  '{}',
  '{ "$ref" = "#" }',
  '{ type = "object", properties = { __proto__ = { type = "x" } } }',
  '2026-01-01',
  '"\\u0000"',
  '"\\u001b[2J"',
]
/** A line such as an author may write; keys and values that never meet in a sane manifest among them. */
const line = fc.oneof(
  fc.constantFrom(...MANIFEST_SECTIONS).map((section) => sectionHeader(section)),
  fc
    .tuple(fc.constantFrom(...KEYS, 'constructor', '__proto__', '"a.b"', 'x'), fc.constantFrom(...VALUES))
    .map(([key, value]) => `${key} = ${value}`),
  fc.constantFrom(
    '[__proto__]',
    '[constructor.prototype]',
    '[plugin.plugin]',
    '[[plugin]]',
    '[configuration.schema]',
    '# note',
    '',
  ),
  textOf(
    ['[', ']', '=', '"', "'", '"""', '{', '}', ',', '.', '#', '\\', '\r', 'plugin', 'id', '\ufeff', '\u0000'],
    8,
  ),
)
const lines = fc.array(line, { maxLength: 12 }).map((all) => all.join('\n'))
const manifest = fc.oneof(
  lines,
  lines.map((more) => `${HEAD}${more}`),
  // A whole one with a piece cut out and another put in.
  fc
    .tuple(fc.nat(HEAD.length), fc.nat(HEAD.length), line)
    .map(([from, to, put]) => HEAD.slice(0, from) + put + HEAD.slice(to)),
)

describe('A manifest as somebody hostile may write it', function () {
  this.timeout(60_000)

  it('never throws, always tells the place, and pollutes nothing', () => {
    fuzz(
      fc.property(manifest, (text) => {
        const { manifest: read, issues } = parse(text)
        const rows = text.split('\n')
        for (const { line: row, column, message, severity } of issues) {
          expect(row, message).to.be.within(1, rows.length + 1)
          expect(column, message).to.be.at.least(1)
          expect(message).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f]/)
          expect(severity).to.be.oneOf(['error', 'warning'])
        }
        expect(read === null).to.equal(issues.some(({ severity }) => severity === 'error'))
        expect(Object.keys(Object.prototype)).to.deep.equal([])
        expect(({} as { type?: unknown }).type).to.equal(undefined)
      }),
    )
  })

  it('gives numbers within their bounds, and an id and an entry point that are no way out', () => {
    fuzz(
      fc.property(lines, (more) => {
        const { manifest: read } = parse(`${HEAD}${more}`)
        if (read === null) return
        expect(read.id).to.match(/^[a-z0-9][a-z0-9_.-]*$/i)
        expect(read.entryPoint.split('/')).to.not.include('..')
        expect(read.entryPoint.startsWith('/')).to.be.false
        for (const value of Object.values(read.limits)) {
          if (value === null) continue
          expect(value).to.satisfy(Number.isFinite)
          expect(value).to.be.at.least(0)
        }
      }),
    )
  })
})
