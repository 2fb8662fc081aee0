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
}

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
