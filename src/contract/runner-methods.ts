/**
 * Contract Runner: what the host and a plugin's process say to each other on fd 3. The host calls, the runner
 * answers; the runner's own messages are notifications. The host reads all of it as if an attacker wrote it.
 */
import type { LogLevel } from './execution.ts'

export interface RunnerParams {
  /** First message. The runner loads the plugin, runs its `initialize` and answers when it is ready. */
  initialize: {
    protocol_version: string
    plugin_id: string
    plugin_version: string
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
    operations: RunnerOperation[]
    max_payload_bytes: number
  }
  /** Runs one operation; the input is the request's payload, the result the answer's. */
  execute: {
    operation: string
    /** What is left until the host's deadline when the request was sent. */
    timeout_ms: number
    /** Whether anybody wants progress. */
    progress?: boolean
  }
  /** Notification: the answer is no longer wanted; the operation's `signal` aborts. */
  cancel: { id: number }
  /** Answered when the event loop is free. */
  ping: Record<string, never>
  /** What the plugin's own `health()` says. */
  health: Record<string, never>
  /** The plugin's `shutdown` runs, the runner answers and exits with code 0. */
  shutdown: Record<string, never>
}

export interface RunnerOperation {
  name: string
  /** Absolute path of a generated module that checks this operation's input; null where it has no schema. */
  input_validator: string | null
  /** The schema itself, to compare with one written in code; null where there is none. */
  input_schema: Record<string, unknown> | null
}

export interface RunnerResults {
  initialize: { protocol_version: string; operations: string[]; metadata?: unknown; capabilities?: unknown }
  execute: null
  ping: null
  health: { health: unknown }
  shutdown: null
}

export interface RunnerNotifications {
  log: { level: LogLevel; message: string; execution_id?: string }
  progress: { id: number; fraction?: number; message?: string }
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
