import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { PROBES } from '../../src/cli/selftest/catalogue.ts'
import type { Expected } from '../../src/cli/selftest/probe.ts'
import { ROOT, tableOf } from '../helpers/docs-pages.ts'

const PAGE = 'docs/security.md'
const WRITES_TABLE = process.env['WRITE_PROBES'] === '1'

describe('docs/security.md', () => {
  it('has every probe with what it tries and what each tier promises', () => {
    const wanted = PROBES.map(({ id, tries, expected }) => {
      return `| \`${id}\` | ${tries.replaceAll('|', '\\|')} | ${promise(expected.namespace)} | ${promise(expected.process)} |`
    })
    if (WRITES_TABLE) writeTable(wanted)
    expect(tableOf(PAGE, 'probes'), 'WRITE_PROBES=1 mocha test/pins/probes.test.ts writes it').to.deep.equal(
      wanted,
    )
  })

  it('has each probe once, under a name of its own', () => {
    expect(new Set(PROBES.map(({ id }) => id)).size).to.equal(PROBES.length)
  })
})

function promise(expected: Expected): string {
  return expected === 'held' ? 'held' : `**not held:** ${expected.open}`
}

function writeTable(rows: readonly string[]): void {
  const file = path.join(ROOT, PAGE)
  const text = fs.readFileSync(file, 'utf8')
  const head = /(<!-- table: probes -->\n\|.*\n\|.*\n)(?:\|.*\n)*/
  fs.writeFileSync(
    file,
    text.replace(head, (_all, kept: string) => `${kept}${rows.join('\n')}\n`),
  )
}
