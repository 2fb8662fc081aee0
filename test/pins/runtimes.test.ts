import { expect } from 'chai'
import { CASES } from '../conformance/cases.ts'
import { SUBJECTS } from '../conformance/subjects.ts'
import { columnsOf, readPage } from '../helpers/docs-pages.ts'

describe('docs/runtimes.md', () => {
  const page = 'docs/runtimes.md'

  it('has every case of the conformance suite, in each runtime, and none that differs', () => {
    const expected = CASES.map(({ name }) => [name, ...SUBJECTS.map(() => 'same')])
    expect(columnsOf(page, 'conformance')).to.deep.equal(expected)
  })

  it('has the runtimes in the suite’s order', () => {
    const head = `| | ${SUBJECTS.map(({ name }) => name).join(' | ')} |`
    const words = readPage(page).replaceAll(/ +/g, ' ')
    expect(words).to.include(head)
  })
})
