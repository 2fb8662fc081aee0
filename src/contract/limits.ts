/** Ceilings of the wire and of the host. Sizes in bytes, times in milliseconds, unless the name says otherwise. */
const KIB = 1024
const MIB = 1024 * KIB

/** One line between our own peers: the envelope alone, its payload travels beside it. */
export const MAX_FRAME_BYTES = 1 * MIB
/** One line of a plain peer: it carries the payload inside. */
export const MAX_PLAIN_FRAME_BYTES = 16 * MIB
/** One payload, unless the configuration says less or more (`limits.max_payload_mb`). */
export const DEFAULT_MAX_PAYLOAD_BYTES = 256 * MIB
/** Objects and arrays inside one another, in envelopes and payloads alike. */
export const MAX_JSON_DEPTH = 128
/** Unanswered requests of one connection. */
export const MAX_PENDING_CALLS = 10_000
/** Bytes that a connection may have waiting for a slow peer before the host stops reading from that peer. */
export const SEND_BUDGET_BYTES = 32 * MIB
/** A frame that has begun must be whole within this time. */
export const FRAME_TIMEOUT_MS = 30_000

/** Calls of one plugin that wait for a free place, unless its manifest says less (`[runtime] max_queued_calls`). */
export const MAX_QUEUED_CALLS = 10_000

/** Manifest file. */
export const MAX_MANIFEST_BYTES = 1 * MIB
/** Error message, warning or log line kept of a plugin. */
export const MAX_PLUGIN_TEXT_CHARS = 8 * KIB
/** Log lines that one result carries; the rest stays in the plugin's log. */
export const MAX_RESULT_LOG_LINES = 100

/** Limits of a plugin whose manifest is silent (`[resource_limits]`). */
export const DEFAULT_MAX_MEMORY_MB = 256
export const DEFAULT_MAX_EXECUTION_TIME_MS = 30_000
export const DEFAULT_CONCURRENCY = 1
export const DEFAULT_MAX_OPEN_FILES = 256
/** Threads count as well; an idle Node has six. */
export const DEFAULT_MAX_PROCESSES = 64
/** One file. Plugins with `fs_write` write results, so it is generous. */
export const DEFAULT_MAX_FILE_SIZE_MB = 1024
/** A plugin's `data_dir`. */
export const DEFAULT_MAX_DISK_MB = 1024
/** Below these a runner does not start: Node itself opens about twenty files and up to a dozen threads. */
export const MIN_OPEN_FILES = 32
export const MIN_PROCESSES = 16
/** `[runtime] threads`. */
export const MAX_THREADS = 16
/** V8 reserves 512 MiB of addresses for the code of a thread, all of which RLIMIT_DATA counts, unless it is told less. */
export const THREAD_CODE_RANGE_MB = 16
/** `[restart] shutdown_ms`: what a plugin gets to finish before it is killed. */
export const DEFAULT_SHUTDOWN_MS = 5_000
/** `[restart] intensity` and `period_ms`: one more abnormal end within the period, and the plugin is `failed`. */
export const DEFAULT_RESTART_INTENSITY = 5
export const DEFAULT_RESTART_PERIOD_MS = 60_000
