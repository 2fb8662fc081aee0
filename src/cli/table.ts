/** Aligned text columns; pure. */

export interface Cell {
  text: string
  /** Applied after the column's width is known: escape sequences have none. */
  paint?: (text: string) => string
}

export interface TableOptions {
  /** Longer lines are cut at their last column; absent: nothing is cut. */
  maxWidth?: number | undefined
  /** Stands before every line. */
  indent?: string
}

export interface TableRow {
  cells: readonly (Cell | string)[]
  /** Stands on lines of its own below the row. */
  below?: readonly string[]
}

const GAP = '  '
const MIN_CUT_WIDTH = 10
const graphemes = new Intl.Segmenter()
// East Asian wide and fullwidth blocks, and emoji shown as pictures: two columns in a terminal (UAX #11).
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6])/u

export function formatTable(rows: readonly TableRow[], options: TableOptions = {}): string[] {
  const indent = options.indent ?? ''
  const widths = columnWidths(rows)
  const lines: string[] = []
  for (const row of rows) {
    lines.push(indent + formatRow(row.cells.map(toCell), widths, roomFor(widths, indent, options.maxWidth)))
    for (const line of row.below ?? []) lines.push(`${indent}${GAP}${line}`)
  }
  return lines
}

/** `label  value` lines. */
export function formatFields(fields: readonly (readonly [string, Cell | string])[], indent = ''): string[] {
  return formatTable(
    fields.map((cells) => ({ cells })),
    { indent },
  )
}

/** Columns that the text takes in a terminal. */
export function displayWidth(text: string): number {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** Cuts to so many columns, with `…` as the last. */
export function cutToWidth(text: string, maxWidth: number): string {
  if (displayWidth(text) <= maxWidth) return text
  let cut = ''
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    width += displayWidth(segment)
    if (width > maxWidth - 1) break
    cut += segment
  }
  return `${cut}…`
}

function columnWidths(rows: readonly TableRow[]): number[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.cells.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, displayWidth(toCell(cell).text))
    }
  }
  return widths
}

function roomFor(widths: readonly number[], indent: string, maxWidth: number | undefined): number {
  if (maxWidth === undefined) return Number.POSITIVE_INFINITY
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, indent.length)
  return Math.max(MIN_CUT_WIDTH, maxWidth - before)
}

function formatRow(cells: readonly Cell[], widths: readonly number[], lastRoom: number): string {
  const parts = cells.map((cell, column) => {
    const isLastColumn = column === widths.length - 1
    const text = isLastColumn ? cutToWidth(cell.text, lastRoom) : cell.text
    const isLastCell = column === cells.length - 1
    const padding = isLastCell ? '' : ' '.repeat((widths[column] ?? 0) - displayWidth(text))
    return (cell.paint === undefined ? text : cell.paint(text)) + padding
  })
  return parts.join(GAP).trimEnd()
}

function toCell(cell: Cell | string): Cell {
  return typeof cell === 'string' ? { text: cell } : cell
}
