import { numbersOf } from './numbers.ts'
import type { Operation } from './operation.ts'
import { statisticsOf } from './statistics.ts'

export const ANALYZE_OPERATIONS = {
  statistics: {
    parameters: ['field'],
    prepare(parameters) {
      const field = parameters.fieldName('field')
      return (frame) => {
        const { numbers, missing } = numbersOf(frame, field)
        const { count, ...figures } = statisticsOf(numbers)
        return { frame, analysis: { operation: 'statistics', field, count, missing, ...figures } }
      }
    },
  },
} as const satisfies Record<string, Operation>
