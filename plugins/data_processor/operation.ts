import type { Frame } from './frame.ts'
import type { Parameters } from './parameters.ts'
import type { Statistics } from './statistics.ts'

/** One kind of step. `prepare` checks the parameters before any step of the pipeline touches the data. */
export interface Operation {
  readonly parameters: readonly string[]
  prepare(parameters: Parameters): (frame: Frame) => Outcome
}

export interface Outcome {
  readonly frame: Frame
  readonly warnings?: readonly string[]
  readonly analysis?: Analysis
}

export interface Analysis extends Statistics {
  readonly operation: 'statistics'
  readonly field: string
  readonly missing: number
}
