import type { Frame } from './frame.ts'
import { DataProblem, describeValue, quote } from './pipeline-error.ts'

export interface Numbers {
  readonly numbers: Float64Array
  readonly missing: number
}

/** The numbers that a field has in the rows that are left. A value of another kind is refused, never read as 0. */
export function numbersOf(frame: Frame, field: string): Numbers {
  const numbers = new Float64Array(frame.rowCount)
  let count = 0
  frame.each(field, (value, row) => {
    if (!isMissing(value)) numbers[count++] = numberOf(value, field, row)
  })
  return { numbers: numbers.subarray(0, count), missing: frame.rowCount - count }
}

/** JSON has no NaN, but a plugin's caller inside the same process has. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || Number.isNaN(value)
}

export function numberOf(value: unknown, field: string, row: number): number {
  if (Number.isFinite(value)) return value as number
  throw new DataProblem(
    `data[${row}] has ${describeValue(value)} as ${quote(field)}, which needs a finite number in every row. ` +
      `Correct that row, or set the value to null where there is none`,
  )
}
