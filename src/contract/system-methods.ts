/**
 * Contract System: what an application or the CLI may ask the daemon, on the unix socket. Every request's params
 * are checked against the schema here before a handler sees them; answers are typed by `SystemResults`.
 */
import type { ExecutionProgress, PluginExecutionResult, PluginLogLine } from './execution.ts'
import type { FromSchema } from './json-schema.ts'
import type { IsolationTier } from './life.ts'
import type { ManifestIssue, PluginInfo, PluginSummary } from './plugin-info.ts'

const id = { type: 'string', minLength: 1, maxLength: 128 } as const
const path = { type: 'string', minLength: 1, maxLength: 4096 } as const

export const SYSTEM_PARAMS = {
  /** First message of a client that wants payload frames or a workspace of its own; plain clients may skip it. */
  handshake: {
    type: 'object',
    additionalProperties: false,
    required: ['protocol_version'],
    properties: {
      protocol_version: { type: 'string', pattern: '^[0-9]{1,4}\\.[0-9]{1,4}$' },
      client: {
        type: 'object',
        additionalProperties: false,
        properties: { name: id, version: id },
      },
      payload_frames: { type: 'boolean' },
      /** The workspace of calls that name none: an absolute path. */
      workspace: path,
    },
  },
  list_plugins: { type: 'object', additionalProperties: false, properties: {} },
  get_plugin_info: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id'],
    properties: { plugin_id: id },
  },
  /** `input` stands here in a plain frame and beside the envelope in a payload frame; absent means null. */
  execute_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'operation'],
    properties: {
      plugin_id: id,
      operation: id,
      input: {},
      workspace: path,
      timeout_ms: { type: 'integer', minimum: 1, maximum: 86_400_000 },
      progress: { type: 'boolean' },
    },
  },
  /** Cancels a request of this connection by its JSON-RPC id (a call, or a log that is followed), or any call by its execution id. */
  cancel: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
    properties: { id: { type: ['integer', 'string'] }, execution_id: id },
  },
  get_status: { type: 'object', additionalProperties: false, properties: {} },
  /** The last `lines` of a plugin's log, of all plugins when none is named; `follow` sends what comes as `log`. */
  get_plugin_logs: {
    type: 'object',
    additionalProperties: false,
    properties: {
      plugin_id: id,
      lines: { type: 'integer', minimum: 0, maximum: 10_000 },
      follow: { type: 'boolean' },
    },
  },
  validate_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path },
  },
  get_doctor_report: { type: 'object', additionalProperties: false, properties: {} },
  /** Says goodbye. The last application of a private daemon ends it; the answer comes when every runner is gone. */
  shutdown: { type: 'object', additionalProperties: false, properties: {} },
} as const

export type SystemMethod = keyof typeof SYSTEM_PARAMS
export type SystemParams<M extends SystemMethod> = FromSchema<(typeof SYSTEM_PARAMS)[M]>

export interface SystemResults {
  handshake: HandshakeResult
  list_plugins: PluginSummary[]
  get_plugin_info: PluginInfo
  execute_plugin: PluginExecutionResult
  cancel: { cancelled: boolean }
  get_status: DaemonStatus
  get_plugin_logs: { lines: PluginLogLine[] }
  validate_plugin: PluginValidation
  get_doctor_report: DoctorReport
  shutdown: { stopped: boolean }
}

/** What the daemon sends by itself. `id` is the JSON-RPC id of the request it belongs to. */
export interface SystemNotifications {
  progress: ExecutionProgress & { id: number | string }
  log: PluginLogLine & { id: number | string }
  /** Once a second to a plain client that closed its writing half while this many of its requests are open. */
  waiting: { calls: number }
}

export interface HandshakeResult {
  protocol_version: string
  server: { name: string; version: string; pid: number }
  payload_frames: boolean
  environment: string
  plugin_directory: string
  state_directory: string
  /** A private daemon ends with its last application. */
  private: boolean
  max_payload_bytes: number
}

export interface DaemonStatus {
  version: string
  pid: number
  uid: number
  runtime: string
  uptime_ms: number
  environment: string
  plugin_directory: string
  state_directory: string
  socket: string
  private: boolean
  tier: IsolationTier
  required_tier: IsolationTier
  clients: number
  plugins: { total: number; by_state: Record<string, number> }
  instances: number
  calls: { in_flight: number; queued: number; total: number; failed: number }
  memory_bytes: number
}

export interface PluginValidation {
  valid: boolean
  plugin_id: string | null
  path: string
  issues: ManifestIssue[]
}

export interface DoctorCheck {
  name: string
  ok: boolean
  /** What was found, in words. */
  found: string
  /** What enforces it here; null when nothing does. */
  mechanism: string | null
  /** The command or change that would mend it; null when there is nothing to mend. */
  remedy: string | null
}

export interface DoctorReport {
  tier: IsolationTier
  required_tier: IsolationTier
  runtime: { path: string; version: string }
  checks: DoctorCheck[]
}
