import type { ExecutionProgress } from '../../src/contract/execution.ts'
import { MAX_RESULT_LOG_LINES } from '../../src/contract/limits.ts'
import type { ProcessSample } from '../monitor/process-sampler.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { NetworkFigures, Priority } from '../../src/contract/health.ts'
import type { Generation, RunLimit } from '../generations/generation.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import type { CircuitBreaker, Permit } from '../supervisor/circuit-breaker.ts'
import type { WheelEntry } from './timing-wheel.ts'

/** Whoever calls: calls of different callers take turns. */
export interface Caller {
  /** Names it in the history. */
  readonly connectionId?: number
}

/** A call as control hands it over: authorised, its plugin found, its workspace canonical. */
export interface CallRequest {
  readonly plugin: RunnablePlugin
  readonly operation: string
  /** What is handed over in place of an operation's input; null for a call of an operation. */
  readonly message: Omit<RunnerParams['message'], 'timeout_ms'> | null
  readonly workspace: string
  readonly priority: Priority
  readonly caller: Caller
  /** What the caller allows, waiting included; null where he did not say. */
  readonly timeoutMs: number | null
  /** Null where nobody wants progress. */
  readonly onProgress: ((progress: ExecutionProgress) => void) | null
  /**
   * Asked before the call leaves the queue: true when its answer could not be taken now, and `resume` will be called
   * when it can.
   */
  readonly park: (resume: () => void) => boolean
  /** Called exactly once. */
  readonly onSettled: (settlement: Settlement) => void
}

/** The one terminal answer of a call. `result` is the JSON text of the result, its payload travels beside it. */
export type Settlement =
  | { readonly kind: 'rejected'; readonly error: unknown }
  | {
      readonly kind: 'resolved'
      readonly result: string
      readonly payload: Buffer | null
      /** The plugin's own failure in its words; null when it succeeded. */
      readonly fault: string | null
    }

export type DeadlineOwner = 'caller' | RunLimit['owner']

/** One call, from its acceptance to its one terminal answer. */
export class Execution implements WheelEntry {
  readonly call: CallRequest
  runLimit: RunLimit
  readonly acceptedAtMs: number
  /** The payload; let go of as soon as it is on its way or nobody wants it, since it can be large. */
  input: Buffer | null
  deadlineMs: number
  deadlineOwner: DeadlineOwner = 'caller'
  wheelNext: WheelEntry | null = null
  wheelPrevious: WheelEntry | null = null
  wheelSlot = -1
  /** Watches what it may use of the processor; null where nothing says how much. */
  cpuBudget: WheelEntry | null = null
  /** Where it runs, or ran last; null while it never did. */
  instance: RunnerInstance | null = null
  /** The operation is declared idempotent and its process has not died under it yet. */
  mayRetry: boolean
  /** The generation by whose schema its input was found right; null where it was not looked at here. */
  checkedBy: Generation | null = null
  /** It died with a process whose end another call of its operation is charged with already. */
  isCollateral = false
  readonly breaker: CircuitBreaker | null
  readonly permit: Permit | null
  /** The request's id on the runner's channel while it is in flight; null before. */
  channelId: number | null = null
  /** Given when it is dispatched; nobody hears of a call by its id before. */
  executionId: string | null = null
  dispatchedAtMs = 0
  /** Wall clock, to compare with the birth of files. */
  dispatchedAtEpochMs = 0
  sampleAtStart: ProcessSample | null = null
  /** What its process had sent when it was handed out; null where it has no network. */
  networkAtStart: NetworkFigures | null = null
  /** Whether other calls ran in the same process while this one did. */
  shared = false
  warnings: string[] | null = null
  logs: string[] | null = null
  readonly #events: ExecutionEvents
  #settled = false

  constructor(
    call: CallRequest,
    start: {
      input: Buffer | null
      nowMs: number
      events: ExecutionEvents
      breaker: CircuitBreaker | null
      permit: Permit | null
    },
  ) {
    const { nowMs } = start
    const { current } = call.plugin
    this.call = call
    this.breaker = start.breaker
    this.permit = start.permit
    this.runLimit = current.runLimitOf(call.operation)
    this.mayRetry = current.isIdempotent(call.operation)
    this.input = start.input
    this.acceptedAtMs = nowMs
    this.deadlineMs = nowMs + (call.timeoutMs ?? Infinity)
    this.#events = start.events
  }

  get isSettled(): boolean {
    return this.#settled
  }

  /** Gives the call its terminal answer; false when it has one already, and then nothing happens. */
  settle(settlement: Settlement, nowMs = performance.now()): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.input = null
    this.#events.onSettled(this, settlement, nowMs)
    this.call.onSettled(settlement)
    return true
  }

  /** The call leaves the queue: from now on the plugin's own limits count, too. */
  beginRun(nowMs: number, generation: Generation): void {
    this.dispatchedAtMs = nowMs
    this.runLimit = generation.runLimitOf(this.call.operation)
    // Another generation may have come while it waited.
    if (!generation.isIdempotent(this.call.operation)) this.mayRetry = false
    if (generation.mayWrite) this.dispatchedAtEpochMs = Date.now()
    const runDeadlineMs = nowMs + this.runLimit.limitMs
    if (runDeadlineMs > this.deadlineMs) return
    this.deadlineMs = runDeadlineMs
    this.deadlineOwner = this.runLimit.owner
  }

  /** Called by the timing wheel. */
  expire(): void {
    this.#events.onDeadline(this)
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

/** Whoever runs executions hears of these; one object for all of them. */
export interface ExecutionEvents {
  onDeadline(execution: Execution): void
  /** Before the caller hears of it. */
  onSettled(execution: Execution, settlement: Settlement, nowMs: number): void
}
