import { styleText } from 'node:util'

const MAX_CELL_CHARS = 28

export function printHeading(text: string): void {
  process.stdout.write(`\n${styleText('bold', text)}\n`)
}

export function say(text: string): void {
  process.stdout.write(`  ${text}\n`)
}

export function printFigures(figures: Readonly<Record<string, string>>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length))
  for (const [name, value] of Object.entries(figures))
    say(`${styleText('dim', name.padEnd(width))}  ${value}`)
}

/** Rows as a table with the given columns; numbers to the right. */
export function printRows(
  rows: readonly Readonly<Record<string, unknown>>[],
  columns: readonly string[],
): void {
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])))
  const widths = columns.map((column, at) =>
    Math.max(column.length, ...cells.map((line) => line[at]!.length)),
  )
  const line = (texts: readonly string[], row?: Readonly<Record<string, unknown>>): string =>
    texts
      .map((text, at) => {
        const isNumber = row === undefined || typeof row[columns[at]!] === 'number'
        return isNumber ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)
      })
      .join('  ')
  say(styleText('dim', line(columns)))
  for (const [at, texts] of cells.entries()) say(line(texts, rows[at]))
}

function cellText(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(3)
  return typeof value === 'string' ? value.slice(0, MAX_CELL_CHARS) : ''
}
