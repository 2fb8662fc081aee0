import type { MessageOrigin, SentMessage } from '../contract/messages.ts'

/** Writes to the plugin's log, attributed to the call it is used in. `fields` become JSON behind the message. */
export interface PluginLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** What a plugin knows about itself, from `initialize` to `shutdown`. */
export interface PluginContext {
  readonly plugin_id: string
  /** The newest one: another object after each `configure`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly log: PluginLog
  /** A folder of the plugin's own, kept between starts. */
  readonly data_dir: string
  /** The folder that this process works for; relative paths of permissions and inputs mean it. */
  readonly workspace: string
  /** Counts the versions of this plugin that were loaded, from 1. */
  readonly generation: number
  /** Aborted when the plugin shuts down. */
  readonly signal: AbortSignal
  /**
   * Runs a task for each item, on threads of the plugin's process: for work that keeps a processor busy. Resolves with
   * the results, in the items' order. Needs `threads = N` under `[runtime]` of plugin.toml.
   *
   * The first task that throws ends it, and so do the end of the call that it is made in, and `options.signal`; threads
   * that still work on it are ended then, whatever they do.
   *
   * Bytes are moved and not copied: an ArrayBuffer, or a typed array that is the whole of one, as an item, as a member of
   * one, or as a result. **The sender's array is empty afterwards.** To keep it, pass a copy, or a SharedArrayBuffer.
   */
  readonly parallel: Parallel
  /**
   * Writes to another plugin. Resolves as soon as the message waits there: whether it is ever taken, nobody tells. It is
   * handed over once at most, to the process that works for the same folder.
   *
   * Rejects with a PhantomError: PLUGIN_NOT_FOUND, MESSAGE_REFUSED (that plugin's `[[messages]]` do not take it from this
   * one), QUEUE_FULL, PAYLOAD_TOO_LARGE, and others where it does not run.
   */
  readonly send_message: SendMessage
}

/** @param payload anything that is JSON; undefined counts as null */
export type SendMessage = (recipient: string, type: string, payload?: unknown) => Promise<SentMessage>

/**
 * @param task the module, a path from the folder of the entry point (`./tasks/sum.js`) or a file URL; its default export
 *   is a `ParallelTask`. TypeScript as well.
 */
export type Parallel = <Result = unknown>(
  task: string | URL,
  items: readonly unknown[],
  options?: ParallelOptions,
) => Promise<Result[]>

export interface ParallelOptions {
  /** The function of the module that is called for each item, where that is not its default export. */
  readonly export?: string
  /** Ends it before the call does. */
  readonly signal?: AbortSignal
  /** Whether `context.progress` gets the share of items that are done. */
  readonly progress?: boolean
}

/**
 * What the module of a task exports. It runs on a thread of its own, with what the plugin was granted and without its
 * context; module-level variables are each thread's own. Items and results are cloned, as `structuredClone` does.
 */
export type ParallelTask<Item = unknown, Result = unknown> = (
  item: Item,
  context: { readonly index: number },
) => Result | Promise<Result>

/** What `initialize` gets. */
export interface InitializeContext extends PluginContext {
  /** What `export_state` of the generation before returned; undefined where there was none, and after the start. */
  readonly previous_state: unknown
}

/** What an operation gets beside its input. Its members may be taken apart: `execute(input, { progress })`. */
export interface ExecutionContext extends PluginContext {
  readonly execution_id: string
  /** Aborted when the call is cancelled, at its deadline, and when the plugin shuts down. */
  readonly signal: AbortSignal
  /** Tells the caller how far the call is: a fraction from 0 to 1, null where that is not known. */
  readonly progress: (fraction: number | null, message?: string) => void
  /** What is left until the deadline, never below 0. */
  readonly remaining_ms: () => number
}

/** What the handler of a message gets beside its payload. `remaining_ms` and `signal` are those of a call. */
export interface MessageContext extends ExecutionContext {
  readonly message_id: string
  /** The plugin that sent it: its host says so. The name that an application gave where `origin` is `application`. */
  readonly sender: string
  readonly origin: MessageOrigin
}
