import type { ExecutionProgress } from '../../src/contract/execution.ts'
import { MAX_RESULT_LOG_LINES } from '../../src/contract/limits.ts'
import type { ProcessSample } from '../monitor/process-sampler.ts'
import type { WheelEntry } from './timing-wheel.ts'

/** What ends a call: who set the deadline decides which error its passing is. */
export type DeadlineOwner = 'caller' | 'operation' | 'max_execution_time_ms'

export interface ExecutionRequest {
  readonly executionId: string
  readonly pluginId: string
  readonly operation: string
  /** What the caller allows, waiting included; null where it did not say. */
  readonly timeoutMs: number | null
  /** What the plugin allows itself once it runs, and which of its two limits that is. */
  readonly runLimitMs: number
  readonly runLimitOwner: DeadlineOwner
  /** Null where nobody wants progress. */
  readonly onProgress: ((progress: ExecutionProgress) => void) | null
  readonly onSettled: (settlement: Settlement) => void
}

/** The one terminal answer of a call. */
export type Settlement =
  | { readonly kind: 'rejected'; readonly error: unknown }
  | { readonly kind: 'resolved'; readonly result: object; readonly payload: Buffer | null }

/** One call, from its acceptance to its one terminal answer. */
export class Execution implements WheelEntry {
  readonly request: ExecutionRequest
  readonly acceptedAtMs: number
  /** The payload; let go of as soon as it is on its way or nobody wants it, since it can be large. */
  input: Buffer | null
  deadlineMs: number
  deadlineOwner: DeadlineOwner = 'caller'
  wheelNext: WheelEntry | null = null
  wheelPrevious: WheelEntry | null = null
  wheelSlot = -1
  /** The request's id on the runner's channel while it is in flight; null before. */
  channelId: number | null = null
  dispatchedAtMs = 0
  /** Wall clock, to compare with the birth of files. */
  dispatchedAtEpochMs = 0
  sampleAtStart: ProcessSample | null = null
  /** Whether other calls ran in the same process while this one did. */
  shared = false
  warnings: string[] | null = null
  logs: string[] | null = null
  readonly #onDeadline: (execution: Execution) => void
  #settled = false

  constructor(
    request: ExecutionRequest,
    options: { input: Buffer | null; nowMs: number; onDeadline: (execution: Execution) => void },
  ) {
    const { nowMs } = options
    this.request = request
    this.input = options.input
    this.acceptedAtMs = nowMs
    this.deadlineMs = nowMs + (request.timeoutMs ?? Infinity)
    this.#onDeadline = options.onDeadline
  }

  get isSettled(): boolean {
    return this.#settled
  }

  /** Gives the call its terminal answer; false when it has one already, and then nothing happens. */
  settle(settlement: Settlement): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.input = null
    this.request.onSettled(settlement)
    return true
  }

  /** The call leaves the queue: from now on the plugin's own limits count, too. */
  beginRun(nowMs: number): void {
    this.dispatchedAtMs = nowMs
    this.dispatchedAtEpochMs = Date.now()
    const runDeadlineMs = nowMs + this.request.runLimitMs
    if (runDeadlineMs > this.deadlineMs) return
    this.deadlineMs = runDeadlineMs
    this.deadlineOwner = this.request.runLimitOwner
  }

  /** Called by the timing wheel. */
  expire(): void {
    this.#onDeadline(this)
  }

  addLog(level: string, message: string): void {
    this.logs ??= []
    if (this.logs.length === MAX_RESULT_LOG_LINES) this.logs.shift()
    this.logs.push(`${level}: ${message}`)
    if (level === 'warn') this.addWarning(message)
  }

  addWarning(message: string): void {
    this.warnings ??= []
    if (this.warnings.length < MAX_RESULT_LOG_LINES) this.warnings.push(message)
  }
}
