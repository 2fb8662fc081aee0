import type { Frame } from './frame.ts'
import { isMissing, numbersOf } from './numbers.ts'
import type { Operation, Outcome } from './operation.ts'
import { DataProblem, quote } from './pipeline-error.ts'
import { spreadOf } from './statistics.ts'

const METHODS = ['min_max', 'z_score'] as const
type Method = (typeof METHODS)[number]

export const TRANSFORM_OPERATIONS = {
  normalize: {
    parameters: ['field', 'method', 'output_field'],
    prepare(parameters) {
      const field = parameters.fieldName('field')
      const method = parameters.oneOf('method', METHODS, 'min_max')
      const output = parameters.optionalFieldName('output_field') ?? field
      return (frame) => normalize(frame, { field, method, output })
    },
  },
  rename: {
    parameters: ['from', 'to'],
    prepare(parameters) {
      const from = parameters.fieldName('from')
      const to = parameters.fieldName('to')
      return (frame) => {
        refuseTaken(frame, to)
        return { frame: frame.rename(from, to) }
      }
    },
  },
} as const satisfies Record<string, Operation>

interface Normalization {
  readonly field: string
  readonly method: Method
  readonly output: string
}

function normalize(frame: Frame, { field, method, output }: Normalization): Outcome {
  if (output !== field) refuseTaken(frame, output)
  const { numbers, missing } = numbersOf(frame, field)
  const { offset, unit } = scaleOf(numbers, method)
  const derived = frame.derive(field, output, (value) => {
    if (isMissing(value)) return null
    return unit === 0 ? 0 : ((value as number) - offset) / unit
  })
  const warnings: string[] = []
  if (missing > 0)
    warnings.push(
      `${quote(field)} is missing in ${missing} of ${frame.rowCount} rows, where the outcome is null`,
    )
  if (numbers.length > 0 && unit === 0) {
    warnings.push(`${quote(field)} is ${offset} in every row that has it: the outcome is 0`)
  }
  return { frame: derived, warnings }
}

/** A unit of 0 stands for a column without any spread, which has no scale to divide by. */
function scaleOf(numbers: Float64Array, method: Method): { offset: number; unit: number } {
  if (numbers.length === 0) return { offset: 0, unit: 0 }
  const { mean, sd, min, max } = spreadOf(numbers)
  return method === 'min_max' ? { offset: min, unit: max - min } : { offset: mean, unit: sd }
}

function refuseTaken(frame: Frame, name: string): void {
  if (!frame.has(name)) return
  throw new DataProblem(
    `there is a field ${quote(name)} already, whose values would be lost. Choose another name`,
  )
}
