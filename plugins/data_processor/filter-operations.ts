import type { Frame } from './frame.ts'
import { isMissing, numberOf } from './numbers.ts'
import type { Operation, Outcome } from './operation.ts'
import type { Scalar } from './parameters.ts'
import { quote } from './pipeline-error.ts'

export const FILTER_OPERATIONS = {
  range: {
    parameters: ['field', 'min', 'max'],
    prepare(parameters) {
      const field = parameters.fieldName('field')
      const min = parameters.optionalNumber('min')
      const max = parameters.optionalNumber('max')
      if (min === undefined && max === undefined)
        parameters.refuse('min', 'min, max or both, as finite numbers')
      if (min !== undefined && max !== undefined && min > max)
        parameters.refuse('min', `a min that is not above max (${max})`)
      return (frame) => keepRange(frame, field, min ?? -Infinity, max ?? Infinity)
    },
  },
  equals: {
    parameters: ['field', 'value'],
    prepare(parameters) {
      const field = parameters.fieldName('field')
      const value = parameters.scalar('value')
      return (frame) => ({ frame: keepValues(frame, field, [value]) })
    },
  },
  in: {
    parameters: ['field', 'values'],
    prepare(parameters) {
      const field = parameters.fieldName('field')
      const values = parameters.scalars('values')
      return (frame) => ({ frame: keepValues(frame, field, values) })
    },
  },
} as const satisfies Record<string, Operation>

function keepRange(frame: Frame, field: string, min: number, max: number): Outcome {
  let missing = 0
  const kept = frame.filter(field, (value, row) => {
    if (isMissing(value)) {
      missing++
      return false
    }
    const number = numberOf(value, field, row)
    return number >= min && number <= max
  })
  if (missing === 0) return { frame: kept }
  const warning = `${quote(field)} is missing in ${missing} of ${frame.rowCount} rows, left out: a missing value lies in no range`
  return { frame: kept, warnings: [warning] }
}

/** Compares without conversion: 1 is not "1". Every way of being missing equals null. */
function keepValues(frame: Frame, field: string, values: readonly Scalar[]): Frame {
  const wanted = new Set<unknown>(values.map((value) => (isMissing(value) ? null : value)))
  return frame.filter(field, (value) => wanted.has(isMissing(value) ? null : value))
}
