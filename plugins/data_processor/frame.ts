import { BitSet, table, type ColumnTable } from 'arquero'
import { suggestName } from './nearest-name.ts'
import { DataProblem, quote } from './pipeline-error.ts'

/** Names that an error message may choose its suggestion from. */
const MAX_SUGGESTED_NAMES = 1_000

export type Row = Readonly<Record<string, unknown>>

type Column = NonNullable<ReturnType<ColumnTable['column']>>

/** Where the values of a field come from. */
interface Field {
  /** Its key in the source rows; null for a field that a step added. */
  readonly key: string | null
  /** The table column that a step computed for it; null while the source rows' values stand. */
  readonly column: string | null
}

/**
 * Rows as an arquero table: filters are masks over it, and only fields that a step reads become columns. The
 * source rows are its first column, so that a row's index stays that of the input, and what no step touched comes
 * out as it went in. Columns have names of our own: arquero keeps them as keys of plain objects, where a field
 * called `__proto__` would do harm. Nothing here uses table expressions, which arquero compiles from strings.
 */
export class Frame {
  readonly #rows: readonly Row[]
  readonly #fields: ReadonlyMap<string, Field>
  /** Source keys whose name a rename took away. */
  readonly #renamed: ReadonlySet<string>
  /** Columns read from source rows, by key. With `#table` the only state that changes: a cache. */
  readonly #lifted: Map<string, string>
  #table: ColumnTable

  private constructor(
    source: { rows: readonly Row[]; table: ColumnTable; lifted: Map<string, string> },
    fields: ReadonlyMap<string, Field>,
    renamed: ReadonlySet<string>,
  ) {
    this.#rows = source.rows
    this.#table = source.table
    this.#lifted = source.lifted
    this.#fields = fields
    this.#renamed = renamed
  }

  static of(rows: readonly Row[]): Frame {
    return new Frame({ rows, table: table({ rows }), lifted: new Map() }, new Map(), new Set())
  }

  get rowCount(): number {
    return this.#table.numRows()
  }

  /** Whether any row of the input has it, also one that a filter has taken out since. */
  has(field: string): boolean {
    if (this.#fields.has(field)) return true
    return !this.#renamed.has(field) && this.#rows.some((row) => Object.hasOwn(row, field))
  }

  /** Calls back for every row that is left, with the field's value and the row's index in the input. */
  each(field: string, visit: (value: unknown, row: number) => void): void {
    const values = this.#values(field)
    this.#table.scan((row) => visit(values.at(row!), row!))
  }

  filter(field: string, keep: (value: unknown, row: number) => boolean): Frame {
    const mask = new BitSet(this.#table.totalRows())
    this.each(field, (value, row) => {
      if (keep(value, row)) mask.set(row)
    })
    return this.#with(this.#table.create({ filter: mask }), this.#fields)
  }

  /** Computes a field anew from another one's values; where `to` is a new name, rows get it as their last key. */
  derive(from: string, to: string, compute: (value: unknown) => unknown): Frame {
    const computed = Array<unknown>(this.#table.totalRows()).fill(null)
    this.each(from, (value, row) => (computed[row] = compute(value)))
    const column = this.#nextColumn()
    const fields = new Map(this.#fields).set(to, { key: this.#fieldOf(to)?.key ?? null, column })
    return this.#with(addColumn(this.#table, column, computed), fields)
  }

  rename(from: string, to: string): Frame {
    const field = this.#fieldOf(from)
    if (field === undefined || (this.#rows.length > 0 && !this.has(from))) throw this.#unknown(from)
    const fields = new Map(this.#fields).set(to, field)
    fields.delete(from)
    const renamed = field.key === null ? this.#renamed : new Set(this.#renamed).add(field.key)
    return this.#with(this.#table, fields, renamed)
  }

  /** The rows that are left. One that no step changed is the very object of the input. */
  toRows(): Row[] {
    const rows: Row[] = []
    const edits = new Map(
      [...this.#fields].filter(([, { key }]) => key !== null).map(([name, { key }]) => [key!, name]),
    )
    const computed = [...this.#fields].filter(([, { column }]) => column !== null)
    const columns = computed.map(([name]) => ({ name, values: this.#values(name) }))
    this.#table.scan((index) => {
      const source = this.#rows[index!]!
      if (this.#fields.size === 0) return rows.push(source)
      const row: Record<string, unknown> = {}
      for (const key of Object.keys(source)) setOwn(row, edits.get(key) ?? key, source[key])
      for (const { name, values } of columns) setOwn(row, name, values.at(index!))
      return rows.push(row)
    })
    return rows
  }

  #fieldOf(name: string): Field | undefined {
    return this.#fields.get(name) ?? (this.#renamed.has(name) ? undefined : { key: name, column: null })
  }

  #values(name: string): Column {
    const field = this.#fieldOf(name)
    if (field === undefined) throw this.#unknown(name)
    const column = field.column ?? this.#lift(field.key!, name)
    return this.#table.column(column)!
  }

  #lift(key: string, name: string): string {
    const known = this.#lifted.get(key)
    if (known !== undefined) return known
    let found = 0
    const values = this.#rows.map((row) => (Object.hasOwn(row, key) && ++found > 0 ? row[key] : undefined))
    if (found === 0 && this.#rows.length > 0) throw this.#unknown(name)
    const column = this.#nextColumn()
    this.#table = addColumn(this.#table, column, values)
    this.#lifted.set(key, column)
    return column
  }

  #nextColumn(): string {
    return `column_${this.#table.numCols()}`
  }

  #with(next: ColumnTable, fields: ReadonlyMap<string, Field>, renamed = this.#renamed): Frame {
    return new Frame({ rows: this.#rows, table: next, lifted: new Map(this.#lifted) }, fields, renamed)
  }

  #unknown(name: string): DataProblem {
    const names = new Set(this.#fields.keys())
    for (const row of this.#rows) {
      if (names.size >= MAX_SUGGESTED_NAMES) break
      for (const key of Object.keys(row)) if (!this.#renamed.has(key)) names.add(key)
    }
    return new DataProblem(
      `no row has a field ${quote(name)}. ${suggestName(name, [...names].slice(0, MAX_SUGGESTED_NAMES))}`,
    )
  }
}

function addColumn(to: ColumnTable, name: string, values: unknown[]): ColumnTable {
  return to.create({ data: { ...to.data(), [name]: values } })
}

/** Plain assignment to `__proto__` would set the prototype and lose the value. */
function setOwn(row: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') row[key] = value
  else Object.defineProperty(row, key, { value, enumerable: true, configurable: true, writable: true })
}
