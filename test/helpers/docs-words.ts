import { expect } from 'chai'
import { columnsOf, wordOf } from './docs-pages.ts'

/** A table of the docs by its first column, which must name exactly these. */
export function expectWords(page: string, table: string, words: Iterable<string>): void {
  const documented = columnsOf(page, table).map((cells) => wordOf(cells[0]))
  expect(documented, `${page}, table ${table}`).to.have.members([...words])
}
