import type { LogLevel } from '../../src/contract/execution.ts'
import type { SentMessage } from '../../src/contract/messages.ts'
import type { WireError } from '../../src/contract/phantom-error.ts'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { LoadedOperation } from '../loaded-plugin.ts'

/**
 * What the runner lends to the WebAssembly loader, which is a bundle of its own: a module that both imported would be
 * there twice, each with a state of its own.
 */
export interface RunnerPowers {
  log(level: LogLevel, message: string, executionId?: string): void
  /** The plugin reached for what it was not granted, or, where it is observed, for anything. */
  denied(permission: string, resource: string): void
  /** Runs what nobody is to be told of. */
  unheard<Value>(run: () => Value): Value
  createInputCheck(operation: RunnerOperation): LoadedOperation['checkInput']
  /** What the host is told not to try again. */
  refuseStart(message: string): Error
  /** Has the host pass on a message. Rejects with what refuses it. */
  sendMessage(recipient: string, type: string, payload: Uint8Array | null): Promise<SentMessage>
  toRunnerError(thrown: unknown): WireError
}
