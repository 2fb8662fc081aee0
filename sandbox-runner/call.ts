import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type { ExecutionContext, Parallel, PluginLog, SendMessage } from '../src/plugin/plugin-context.ts'
import type { RequestId } from '../src/rpc/connection.ts'
import type { PluginEnvironment } from './plugin-environment.ts'
import { ProgressThrottle, type SendProgress } from './progress-throttle.ts'

/**
 * One call, as the operation sees it. Made for every call, so what most calls never ask for is made when it is
 * asked for. `progress` and `remaining_ms` are getters of functions, so that they can be taken apart.
 */
export class Call implements ExecutionContext {
  readonly #id: RequestId
  readonly #plugin: PluginEnvironment
  readonly #startedMs = performance.now()
  readonly #timeoutMs: number
  readonly #throttle: ProgressThrottle | null
  #controller: AbortController | null = null
  #abortReason: DOMException | null = null
  #log: PluginLog | null = null

  constructor(
    id: RequestId,
    params: RunnerParams['execute'],
    plugin: PluginEnvironment,
    sendProgress: SendProgress,
  ) {
    this.#id = id
    this.#plugin = plugin
    this.#timeoutMs = params.timeout_ms
    this.#throttle = params.progress === true ? new ProgressThrottle(id as number, sendProgress) : null
  }

  /** By `performance.now()`: when it came. */
  get startedMs(): number {
    return this.#startedMs
  }

  get execution_id(): string {
    return this.#plugin.executionIdOf(this.#id)
  }

  get plugin_id(): string {
    return this.#plugin.plugin_id
  }

  get config(): Readonly<Record<string, unknown>> {
    return this.#plugin.config
  }

  get data_dir(): string {
    return this.#plugin.data_dir
  }

  get workspace(): string {
    return this.#plugin.workspace
  }

  get generation(): number {
    return this.#plugin.generation
  }

  get log(): PluginLog {
    return (this.#log ??= this.#plugin.logOfCall(this.execution_id))
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  get parallel(): Parallel {
    return this.#plugin.parallelFor(this)
  }

  get send_message(): SendMessage {
    return this.#plugin.send_message
  }

  get remaining_ms(): () => number {
    return () => Math.max(0, this.#startedMs + this.#timeoutMs - performance.now())
  }

  get progress(): (fraction: number | null, message?: string) => void {
    return (fraction, message) => {
      if (fraction !== null && typeof fraction !== 'number') {
        throw new TypeError(
          `Cannot report progress: expected a fraction from 0 to 1 or null, found ${typeof fraction}`,
        )
      }
      this.#throttle?.report(fraction, message)
    }
  }

  get isAborted(): boolean {
    return this.#abortReason !== null
  }

  /** Whether a thrown value is this call's own cancellation coming back. */
  isAbort(thrown: unknown): boolean {
    if (this.#abortReason === null) return false
    if (thrown === this.#abortReason) return true
    return thrown instanceof Error && thrown.name === 'AbortError'
  }

  abort(): void {
    if (this.#abortReason !== null) return
    const why = this.remaining_ms() === 0 ? 'reached its deadline' : 'was cancelled'
    this.#abortReason = new DOMException(`The call ${why}`, 'AbortError')
    this.#controller?.abort(this.#abortReason)
  }

  /** To be called right before the answer: the last progress goes out, none comes after it. */
  end(): void {
    this.#throttle?.end()
  }
}
