import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type {
  ExecutionContext,
  InitializeContext,
  Parallel,
  ParallelOptions,
  PluginLog,
  SendMessage,
} from '../src/plugin/plugin-context.ts'
import type { RequestId } from '../src/rpc/connection.ts'
import { runParallel } from './javascript/threads.ts'
import type { Threads } from './loaded-plugin.ts'
import type { Outbox } from './outbox.ts'
import type { LogSender } from './plugin-log.ts'

/** The context of `initialize`, and what every call's context looks up. */
export class PluginEnvironment implements InitializeContext {
  readonly plugin_id: string
  /** Replaced, never changed: a call that took it off its context keeps what it took. */
  config: Readonly<Record<string, unknown>>
  readonly log: PluginLog
  readonly data_dir: string
  readonly workspace: string
  readonly generation: number
  readonly send_message: SendMessage
  /** May be large, so it is let go when the plugin has started. */
  previous_state: unknown
  /** Set when its code is loaded. */
  threads: Threads | null = null
  readonly #sender: LogSender
  readonly #executionIdPrefix: string
  readonly #shutdown = new AbortController()

  constructor(params: RunnerParams['initialize'], sender: LogSender, outbox: Outbox) {
    this.plugin_id = params.plugin_id
    this.config = params.config
    this.data_dir = params.data_dir
    this.workspace = params.workspace
    this.generation = params.generation
    this.previous_state = params.previous_state
    this.#sender = sender
    this.#executionIdPrefix = params.execution_id_prefix
    this.log = sender.logFor()
    this.send_message = (recipient, type, payload) => outbox.send(recipient, type, payload)
  }

  get signal(): AbortSignal {
    return this.#shutdown.signal
  }

  get parallel(): Parallel {
    return this.parallelFor({ signal: this.signal, progress: () => {} })
  }

  /** What is run by it ends with that context. */
  parallelFor(context: Pick<ExecutionContext, 'signal' | 'progress'>): Parallel {
    const run = (task: string | URL, items: readonly unknown[], options: ParallelOptions = {}) =>
      runParallel(this.threads, {
        task,
        items,
        options,
        signal: context.signal,
        onProgress: (fraction) => context.progress(fraction),
      })
    // What the task returns is its author's to say.
    return run as Parallel
  }

  executionIdOf(requestId: RequestId): string {
    return this.#executionIdPrefix + Number(requestId).toString(36)
  }

  logOfCall(executionId: string): PluginLog {
    return this.#sender.logFor(executionId)
  }

  shutDown(): void {
    this.#shutdown.abort(new DOMException('The plugin is shutting down', 'AbortError'))
  }
}
