import type { InputCheck } from '../src/contract/input/input-check.ts'
import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type { WireError } from '../src/contract/phantom-error.ts'
import type { PluginDefinition } from '../src/plugin/plugin-definition.ts'
import type { ExecutionContext, ParallelOptions } from '../src/plugin/plugin-context.ts'
import type { IncomingRequest } from '../src/rpc/connection.ts'
import type { Call } from './call.ts'
import type { PluginEnvironment } from './plugin-environment.ts'

/** See `sandbox-runner/threads`. */
export interface Threads {
  run(call: ParallelCall): Promise<unknown[]>
}

/** One `context.parallel()`. */
export interface ParallelCall {
  readonly task: string | URL
  readonly items: readonly unknown[]
  readonly options: ParallelOptions
  /** Of the call that it is made in. */
  readonly signal: AbortSignal
  readonly onProgress: (fraction: number) => void
}

/** A plugin whose code is loaded, whatever runtime hosts it. */
export interface LoadedPlugin {
  /** Those that may be called. */
  readonly operations: ReadonlyMap<string, LoadedOperation>
  /** What it takes from other plugins, by type. */
  readonly messages: ReadonlyMap<string, LoadedOperation>
  /** The version of contract Runner that it was written for; the host judges it. */
  readonly protocolVersion: string
  /** Takes every name that `operations` lacks; null where the plugin says which names it knows. */
  readonly anyOperation: LoadedOperation | null
  /** Those of a WebAssembly plugin are known when it has started. */
  readonly hooks: Omit<PluginDefinition, 'operations' | 'messages'>
  /** What the author should know, in words. */
  readonly notices: readonly string[]
  /**
   * Makes it ready for its first call.
   *
   * @throws whatever plugin code throws, and StartRefused where it vetoes or does not fit its manifest
   */
  start(environment: PluginEnvironment, params: RunnerParams['initialize']): Promise<void>
}

export type LoadedOperation = ValueOperation | BytesOperation

interface OperationInput {
  /** Says what is wrong with an input; null when nothing is. */
  readonly checkInput: InputCheck | null
}

/** Takes its input as a value, and returns one. */
export interface ValueOperation extends OperationInput {
  readonly takes: 'value'
  /** May throw and may return a promise, of anything. */
  run(input: unknown, context: ExecutionContext): unknown
}

/** Takes and returns JSON as the bytes that it travels in: nobody on the way needs to read it. */
export interface BytesOperation extends OperationInput {
  readonly takes: 'bytes'
  /** The request's payload is good until this returns. */
  run(request: IncomingRequest, call: Call): BytesAnswer | Promise<BytesAnswer>
}

/** A result that is absent means null. */
export type BytesAnswer =
  | { readonly error: WireError }
  | { readonly error: null; readonly payload: Buffer | null }
