import { isDeepStrictEqual } from 'node:util'

/** Which implementation met which verdict; the first column is what the others are compared with. */
export class VerdictTable {
  readonly #columns: readonly string[]
  readonly #rows: readonly string[]
  readonly #verdicts = new Map<string, unknown>()

  constructor(columns: readonly string[], rows: readonly string[]) {
    this.#columns = columns
    this.#rows = rows
  }

  add(column: string, row: string, verdict: unknown): void {
    this.#verdicts.set(`${column}\n${row}`, verdict)
  }

  /** Only what was run: a part of the suite prints a part of the table. */
  print(): void {
    const columns = this.#columns.filter((column) => this.#rows.some((row) => this.#has(column, row)))
    const rows = this.#rows.filter((row) => columns.some((column) => this.#has(column, row)))
    const width = Math.max(...rows.map(({ length }) => length))
    const line = (first: string, cells: readonly string[]): string =>
      `    ${first.padEnd(width)}  ${cells.map((cell, at) => cell.padEnd(columns[at]!.length)).join('  ')}`
    const lines = rows.map((row) =>
      line(
        row,
        columns.map((column) => this.#cell(column, row)),
      ),
    )
    process.stdout.write(`\n${[line('', columns), ...lines].join('\n')}\n`)
  }

  #has(column: string, row: string): boolean {
    return this.#verdicts.has(`${column}\n${row}`)
  }

  #cell(column: string, row: string): string {
    if (!this.#has(column, row)) return '-'
    const verdict = this.#verdicts.get(`${column}\n${row}`)
    return isDeepStrictEqual(verdict, this.#verdicts.get(`${this.#columns[0]}\n${row}`)) ? 'same' : 'differs'
  }
}
