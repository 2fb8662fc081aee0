/** Exit codes of `phantom`; documented in docs/errors.md and pinned by a test. */
export const CLI_EXIT_CODES = {
  ok: 0,
  /** The plugin answered with `success: false`; `doctor` found something that does not hold, `health` something to mend. */
  plugin_failed: 1,
  /** Unknown command, flag or argument; input that is not JSON. */
  usage: 2,
  /** No such plugin, operation, generation, revision, key, file or folder. */
  not_found: 3,
  /** A permission, the policy, the isolation tier or `enabled: false` refused. */
  denied: 4,
  /** Deadline, limit, full queue, open breaker or cancelled. */
  limit: 5,
  /** The plugin, or a new generation of it, could not be started, or died. */
  plugin_crashed: 6,
  /** No daemon, a lost daemon, or no Node that can run one. */
  daemon: 7,
  /** The manifest, the input or the configuration is invalid, or changed meanwhile. */
  invalid: 8,
  /** A defect of ours. */
  internal: 70,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const

/** Exit codes of the daemon process. */
export const DAEMON_EXIT_CODES = {
  ok: 0,
  /** It could not start; the reason went to its starter as one JSON line on fd 3 and to its log. */
  start_failed: 64,
  /** Another live daemon holds the lock of the state folder. */
  already_running: 65,
  /** An exception that nobody caught. */
  internal: 70,
} as const

/** Exit codes of a runner; the host classifies them (`host/process/exit-reason.ts`). */
export const RUNNER_EXIT_CODES = {
  ok: 0,
  /** The host closed fd 3. */
  host_gone: 80,
  /** The host sent what the contract does not allow. */
  protocol: 81,
} as const
