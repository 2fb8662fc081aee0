/**
 * Contract Runner: what the host and a plugin's process say to each other on fd 3. The host calls, the runner
 * answers; the runner's own messages are notifications, but for `send_message`. The host reads all of it as if an attacker wrote it.
 */
import type { LogLevel } from './execution.ts'
import type { MessageOrigin, SentMessage } from './messages.ts'

export interface RunnerParams {
  /**
   * First of all messages: the sandbox's entry program, or without one the runner, tries what must fail and says what
   * came of it, before any code of the plugin is there; in a sandbox a second one asks the runner about Node. The host
   * looks at the process from outside meanwhile; only then it sends anything else.
   */
  attest: {
    /** A file that no runner may read. */
    read: string
    /** A process outside of the sandbox, or null where that is not tried. */
    signal: number | null
    /** A port of the host's loopback to connect to, or null where that is not tried. */
    connect: number | null
    /** Whether to try to start a program. */
    start: boolean
  }
  /**
   * Before `initialize`, and only to a standby: loads the plugin's code and nothing more. Its `initialize` has the
   * same entry and operations.
   */
  preload: Pick<
    RunnerInitialize,
    | 'protocol_version'
    | 'entry'
    | 'eval'
    | 'threads'
    | 'thread_bytes'
    | 'observe'
    | 'operations'
    | 'messages'
    | 'log_level'
  >
  /** First message but for `preload`. The runner loads the plugin, runs its `initialize` and answers when it is ready. */
  initialize: RunnerInitialize
  /** Runs one operation; the input is the request's payload, the result the answer's. */
  execute: {
    operation: string
    /** What is left until the host's deadline when the request was sent. */
    timeout_ms: number
    /** Whether anybody wants progress. */
    progress?: boolean
  }
  /** Hands over a message; it is the request's payload. Like `execute`, and nobody sees the result. Since 1.2. */
  message: {
    /** The plugin that the host had it from, or the name that an application gave. */
    sender: string
    type: string
    message_id: string
    origin: MessageOrigin
    timeout_ms: number
  }
  /** Notification: the answer is no longer wanted; the operation's `signal` aborts. */
  cancel: { id: number }
  /** Answered when the event loop is free. */
  ping: Record<string, never>
  /** What the plugin's own `health()` says. */
  health: Record<string, never>
  /** Asks the plugin's `validate_config` whether it would take this configuration; changes nothing. */
  validate_config: { config: Record<string, unknown> }
  /**
   * A new configuration, checked already. Applied when the plugin has `configure`; log level and verbosity always
   * are.
   */
  configure: { config: Record<string, unknown>; log_level: LogLevel }
  /** A reload is near: no call comes until `resume` or the end. Only to a plugin that has the hook. */
  quiesce: Record<string, never>
  /** The reload came to nothing: calls come again. */
  resume: Record<string, never>
  /** What the next generation gets as `previous_state`. */
  export_state: Record<string, never>
  /** The plugin's `shutdown` runs, the runner answers and exits with code 0. */
  shutdown: Record<string, never>
}

interface RunnerInitialize {
  protocol_version: string
  plugin_id: string
  plugin_version: string
  /** What the manifest says of the plugin; empty where it says nothing. Since 1.1. */
  metadata: RunnerMetadata
  generation: number
  /** A call's execution id is this and its request id, written to base 36. */
  execution_id_prefix: string
  /** Absolute path of the entry point. */
  entry: string
  workspace: string
  data_dir: string
  config: Record<string, unknown>
  log_level: LogLevel
  /** Whether the plugin may make code from strings. */
  eval: boolean
  /** Threads that a JavaScript plugin may run tasks on; 0: none. */
  threads: number
  /** What the memory limit leaves each of them to reserve; absent where there are none. */
  thread_bytes?: number
  /** Whether to tell of everything that it reaches for, variables too. */
  observe: boolean
  operations: RunnerOperation[]
  /** What the manifest takes, `name` being the type; absent where it takes none. Since 1.2. */
  messages?: RunnerOperation[]
  /** To a WebAssembly plugin's runner alone, which walks paths and fills the environment by itself. */
  grants?: RunnerGrants
  max_payload_bytes: number
  /** What the generation before said in `export_state`; absent where it said nothing. */
  previous_state?: unknown
}

interface RunnerMetadata {
  id: string
  name: string
  version: string
  description: string
  author: string
}

/** Absolute paths, each with all below it, and names of variables. */
export interface RunnerGrants {
  read: string[]
  write: string[]
  env: string[]
}

/** Hooks of a plugin that the host asks for only when they are there. */
export const RUNNER_HOOKS = [
  'health',
  'validate_config',
  'configure',
  'quiesce',
  'resume',
  'export_state',
] as const
export type RunnerHook = (typeof RUNNER_HOOKS)[number]

export interface RunnerOperation {
  name: string
  /** Absolute path of a generated module that checks this operation's input; null where it has no schema. */
  input_validator: string | null
  /** The schema itself, to compare with one written in code; null where there is none. */
  input_schema: Record<string, unknown> | null
}

export interface RunnerResults {
  /** Of each attempt the code of the error that met it, empty where it succeeded; an entry program says its number. */
  attest: {
    read: string
    signal: string | null
    connect: string | null
    start: string | null
    /** What Node's permission model grants beside files. */
    node: string[]
  }
  preload: null
  initialize: {
    /** The version that the plugin was written for. */
    protocol_version: string
    operations: string[]
    hooks: RunnerHook[]
    /** Types that it takes. Since 1.2. */
    messages?: string[]
    metadata?: unknown
    capabilities?: unknown
  }
  execute: null
  message: null
  ping: null
  health: { health: unknown }
  /** Null: it would. Otherwise the plugin's words. */
  validate_config: { veto: string | null }
  /** False: the plugin has no `configure`, so only a new process will see it. */
  configure: { applied: boolean }
  quiesce: null
  resume: null
  export_state: { state: unknown }
  shutdown: null
}

/** What a runner may ask of the host. Since 1.2. */
export interface RunnerRequests {
  /** Puts a message, the request's payload, into the queue of another plugin. The host knows who sends it. */
  send_message: { params: { recipient: string; type: string }; result: SentMessage }
}

export interface RunnerNotifications {
  log: { level: LogLevel; message: string; execution_id?: string }
  progress: { id: number; fraction?: number; message?: string }
  /** The runtime's permission model did not grant this, whether or not the plugin caught the error. */
  denied: { permission: string; resource: string }
}

/**
 * `data.name` of the errors that a runner may answer with. Anything else it says becomes `PLUGIN_FAULT`: a plugin
 * can never mint a code of the host's.
 */
export const RUNNER_ERRORS = {
  /** The plugin threw, or returned what is not JSON. */
  fault: -34001,
  /** The input does not fit the operation's schema. */
  input_invalid: -34002,
  operation_not_found: -34003,
  /** The operation ended because it was cancelled. */
  cancelled: -34004,
  /** An allocation failed inside: the memory limit was reached. */
  out_of_memory: -34005,
  /** The result is larger than `max_payload_bytes`. */
  payload_too_large: -34006,
  /** Node's permission model or the kernel refused an access; `data.details` has `permission` and `resource`. */
  access_denied: -34007,
} as const

export type RunnerErrorName = keyof typeof RUNNER_ERRORS
