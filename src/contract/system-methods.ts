/**
 * Contract System: what an application or the CLI may ask the daemon, on the unix socket. Every request's params
 * are checked against the schema here before a handler sees them; answers are typed by `SystemResults`.
 */
import type { PluginAttestation } from './attestation.ts'
import type {
  ConfigReload,
  ConfigValue,
  PluginConfigInfo,
  PluginConfigRevision,
  PluginConfigUpdate,
  PluginConfigValidation,
} from './plugin-config.ts'
import type { AuditRecord, AuditVerification } from './audit.ts'
import type { DoctorReport } from './doctor-report.ts'
import type { GenerationInfo, Incident, ReloadResult } from './generations.ts'
import { PRIORITIES, type HistoryEntry, type PluginHealth, type SystemMetrics } from './health.ts'
import type { ExecutionProgress, PluginExecutionResult, PluginLogLine } from './execution.ts'
import type { FromSchema } from './json-schema.ts'
import type { LearnedPermissions, PermissionMode } from './learned-permissions.ts'
import type { IsolationTier } from './life.ts'
import { MESSAGE_TYPE, type SentMessage } from './messages.ts'
import { MAX_RIGHTS } from './permission.ts'
import type { ApprovalResult, PluginPermissions } from './permissions-info.ts'
import type { SocketRole } from './method-roles.ts'
import type { ManifestIssue, PluginInfo, PluginLimits, PluginSummary } from './plugin-info.ts'
import type { RuntimeSource } from './runtime-source.ts'

const id = { type: 'string', minLength: 1, maxLength: 128 } as const
const path = { type: 'string', minLength: 1, maxLength: 4096 } as const
const nothing = { type: 'object', additionalProperties: false, properties: {} } as const
const plugin = {
  type: 'object',
  additionalProperties: false,
  required: ['plugin_id'],
  properties: { plugin_id: id },
} as const
const interval = { type: 'integer', minimum: 100, maximum: 3_600_000 } as const

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
      priority: { enum: PRIORITIES },
    },
  },
  /**
   * Puts a message into a plugin's queue. `payload` stands here in a plain frame and beside the envelope in a payload
   * frame; absent means null. The sender is a name that the application gives; the recipient is told that it did.
   */
  send_plugin_message: {
    type: 'object',
    additionalProperties: false,
    required: ['sender', 'recipient', 'type'],
    properties: {
      sender: { type: 'string', pattern: '^[a-z][a-z0-9_]{0,63}$' },
      recipient: id,
      type: { type: 'string', pattern: MESSAGE_TYPE.source },
      payload: {},
      workspace: path,
    },
  },
  /**
   * Cancels a request of this connection by its JSON-RPC id (a call, or a log that is followed), or a call by its
   * execution id: one of this connection, on the operators' socket anybody's.
   */
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
  /** `interval_ms`: sends the same again and again as `health`, until the request is cancelled by its id. */
  get_plugin_health: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id'],
    properties: { plugin_id: id, interval_ms: interval },
  },
  /** `interval_ms`: sends the same again and again as `metrics`, until the request is cancelled by its id. */
  get_metrics: { type: 'object', additionalProperties: false, properties: { interval_ms: interval } },
  /** The newest first. `before` is the `at` of the last one seen. */
  get_execution_history: {
    type: 'object',
    additionalProperties: false,
    properties: {
      plugin_id: id,
      outcome: { enum: ['succeeded', 'failed', 'rejected', 'cancelled'] },
      limit: { type: 'integer', minimum: 1, maximum: 10_000 },
      before: id,
    },
  },
  /** What went wrong with a plugin, the newest first. */
  get_incidents: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id'],
    properties: { plugin_id: id, limit: { type: 'integer', minimum: 1, maximum: 1000 } },
  },
  get_generations: plugin,
  /** Reads the plugin's files anew. Answers when the new generation serves, or rejects with the gate that it failed. */
  reload_plugin: plugin,
  /** What a plugin asks for, what of it is approved and held, and by what: as its files say now. */
  get_permissions: plugin,
  /** Decides what a plugin may do of what it asks for, and lets it run with that. */
  approve_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'digest'],
    properties: {
      plugin_id: id,
      /** As `get_permissions` says it: of what is asked now. */
      digest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      /** Less than what is asked: rights in their one spelling, each part of one that is asked. Absent: all. */
      permissions: { type: 'array', maxItems: MAX_RIGHTS, items: path },
    },
  },
  /** Takes the approval back: its processes end, and it stays `blocked` until it is approved again. */
  revoke_plugin: plugin,
  /** Brings the generation before back, or the one that is named. */
  rollback_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id'],
    properties: { plugin_id: id, generation: { type: 'integer', minimum: 1 } },
  },
  /** Loads a folder of the plugin directory that is not loaded: one that is new, or was unloaded. */
  load_plugin: plugin,
  /** Ends the plugin's processes, after their calls, and forgets it until it is loaded again. */
  unload_plugin: plugin,
  /** Leads a plugin out of `failed`: its restarts are counted anew. */
  reset_plugin: plugin,
  /** Narrows limits while it runs; none: only tells. */
  set_plugin_limits: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'limits'],
    properties: { plugin_id: id, limits: { type: 'object' } },
  },
  /** What a plugin would have to be granted, by what it was seen to reach for since the daemon's start. */
  get_learned_permissions: plugin,
  get_plugin_config: plugin,
  /** Merges: an object into an object, anything else replaces; null takes a key away. */
  update_plugin_config: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'updates'],
    properties: {
      plugin_id: id,
      updates: { type: 'object' },
      /** Refuses with CONFIG_CONFLICT where another revision is the newest. */
      expected_revision: { type: 'integer', minimum: 0 },
      /** Checks, and writes nothing. */
      dry_run: { type: 'boolean' },
    },
  },
  validate_plugin_config: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'config'],
    properties: { plugin_id: id, config: { type: 'object' } },
  },
  get_plugin_config_history: plugin,
  rollback_plugin_config: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id', 'revision'],
    properties: { plugin_id: id, revision: { type: 'integer', minimum: 1 } },
  },
  /** The daemon's own configuration: each value and where it comes from. */
  explain_config: nothing,
  /** Reads the daemon's own configuration anew, as SIGHUP does. */
  reload_config: nothing,
  /** What holds the plugin's process, read back from the kernel; one that sleeps is started. */
  verify_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['plugin_id'],
    properties: { plugin_id: id, workspace: path },
  },
  validate_plugin: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path },
  },
  get_doctor_report: { type: 'object', additionalProperties: false, properties: {} },
  /** The last lines that match, the oldest first; `follow` sends what comes as `audit`. */
  get_audit_log: {
    type: 'object',
    additionalProperties: false,
    properties: {
      plugin_id: id,
      /** A whole action, or with a dot at its end all that begin so. */
      action: id,
      since: { type: 'string', minLength: 10, maxLength: 40 },
      limit: { type: 'integer', minimum: 1, maximum: 10_000 },
      follow: { type: 'boolean' },
    },
  },
  /** Reads the whole audit log and says which lines were changed, removed or cut off. */
  verify_audit_log: nothing,
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
  send_plugin_message: SentMessage
  cancel: { cancelled: boolean }
  get_status: DaemonStatus
  get_plugin_logs: { lines: PluginLogLine[] }
  get_plugin_health: PluginHealth
  get_metrics: SystemMetrics
  get_execution_history: { entries: HistoryEntry[] }
  get_incidents: { incidents: Incident[] }
  get_learned_permissions: LearnedPermissions
  get_generations: { generations: GenerationInfo[] }
  reload_plugin: ReloadResult
  get_permissions: PluginPermissions
  approve_plugin: ApprovalResult
  revoke_plugin: PluginSummary
  rollback_plugin: ReloadResult
  load_plugin: PluginSummary
  unload_plugin: { unloaded: boolean }
  reset_plugin: PluginSummary
  set_plugin_limits: PluginLimits
  get_plugin_config: PluginConfigInfo
  update_plugin_config: PluginConfigUpdate
  validate_plugin_config: PluginConfigValidation
  get_plugin_config_history: { revisions: PluginConfigRevision[] }
  rollback_plugin_config: PluginConfigUpdate
  explain_config: { values: ConfigValue[] }
  reload_config: ConfigReload
  verify_plugin: PluginAttestation
  validate_plugin: PluginValidation
  get_doctor_report: DoctorReport
  get_audit_log: { records: AuditRecord[] }
  verify_audit_log: AuditVerification
  shutdown: { stopped: boolean }
}

/** What the daemon sends by itself. `id` is the JSON-RPC id of the request it belongs to. */
export interface SystemNotifications {
  progress: ExecutionProgress & { id: number | string }
  log: PluginLogLine & { id: number | string }
  health: PluginHealth & { id: number | string }
  metrics: SystemMetrics & { id: number | string }
  audit: AuditRecord & { id: number | string }
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
  /** What this connection may: `operator` on the admin socket. */
  role: SocketRole
  /** Where operators attach; whether its caller may open it, the file's owner and mode say. */
  admin_socket: string
}

export interface DaemonStatus {
  version: string
  pid: number
  uid: number
  runtime: string
  /** Who decided on that Node; null when the daemon was started by hand. */
  runtime_source: RuntimeSource | null
  uptime_ms: number
  environment: string
  plugin_directory: string
  state_directory: string
  socket: string
  admin_socket: string
  private: boolean
  tier: IsolationTier
  required_tier: IsolationTier
  /** What that tier can't hold a plugin to, each in words. */
  not_held: string[]
  /** `observe`: what plugins reach for is written down, and the runtime refuses none of it. */
  permissions_mode: PermissionMode
  /** Why the administrator's `policy.yaml` as it stands now does not hold; null where it does, or there is none. */
  policy_problem: string | null
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
