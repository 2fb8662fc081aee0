import type { ErrorDetails } from '../src/contract/phantom-error.ts'
import type { PluginDefinition } from '../src/plugin/plugin-definition.ts'
import type { ExecutionContext } from '../src/plugin/plugin-context.ts'

/** A plugin whose code is loaded and fits its manifest, whatever runtime hosts it. */
export interface LoadedPlugin {
  /** Those that may be called. */
  readonly operations: ReadonlyMap<string, LoadedOperation>
  readonly hooks: Omit<PluginDefinition, 'operations'>
  /** What the author should know, in words. */
  readonly notices: readonly string[]
}

export interface LoadedOperation {
  /** Says what is wrong with an input; null when nothing is. */
  checkInput: ((input: unknown) => InputProblem | null) | null
  /** May throw and may return a promise, of anything. */
  run(input: unknown, context: ExecutionContext): unknown
}

export interface InputProblem {
  readonly message: string
  readonly details: ErrorDetails
}
