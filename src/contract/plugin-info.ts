import type { AttestationSummary } from './attestation.ts'
import type { ExitClass, InstanceState, IsolationTier, PluginState, PluginType } from './life.ts'

/** One row of `list_plugins`. */
export interface PluginSummary {
  id: string
  name: string
  version: string
  type: PluginType | null
  author: string | null
  description: string
  tags: string[]
  operations: string[]
  state: PluginState
  /** Why it is `invalid`, `blocked` or `failed`, or takes no call though it is `enabled`; null otherwise. */
  reason: string | null
  /** Why an update of a plugin that serves waits for an approval; null where none does. */
  waiting: string | null
  builtin: boolean
  /** The plugin's folder. */
  path: string
}

/** A place in a manifest and what is wrong, or worth knowing, there. Lines and columns count from 1. */
export interface ManifestIssue {
  file: string
  line: number
  column: number
  /** Dotted path of the key, `resource_limits.max_memory_mb`; empty for the file as a whole. */
  field: string
  severity: 'error' | 'warning'
  message: string
}

export interface OperationInfo {
  name: string
  description: string
  input_schema: Record<string, unknown> | null
  output_schema: Record<string, unknown> | null
  idempotent: boolean
  timeout_ms: number | null
}

/** What a plugin takes from others. */
export interface MessageInfo {
  type: string
  description: string
  /** Ids of plugins, or `*` for every plugin; null where only applications may send it. */
  from: string[] | null
  input_schema: Record<string, unknown> | null
}

/** A right that the manifest asks for, and what becomes of it on this machine. */
export interface PermissionInfo {
  /** As the manifest spells it, `fs_read:./data`. */
  declared: string
  /** What is held, in words: the paths as mounted, the variable's name; null when nothing is granted. */
  effective: string | null
  /** What enforces it, `mount namespace + node --permission`; null when nothing is granted. */
  mechanism: string | null
  /** Why it is not granted; null when it is. */
  refused: string | null
}

export interface LimitInfo {
  name: string
  /** By the manifest; null where it says nothing. */
  declared: number | null
  /** What holds: as declared, narrowed since, or the house's default; null where nothing does. */
  effective: number | null
  /** `RLIMIT_DATA`, `host deadline`, …; null when nothing enforces it here. */
  mechanism: string | null
  /** Why nothing holds what is declared, set or the house's default; null where something does, or there is nothing to. */
  not_held: string | null
}

/** What `set_plugin_limits` answers. */
export interface PluginLimits {
  plugin_id: string
  /** Until another one serves, they hold. */
  generation: number
  limits: LimitInfo[]
  /** Of each process that runs: why it keeps the kernel's limits that it started with; null where it does not. */
  processes: { pid: number; problem: string | null }[]
}

export interface InstanceInfo {
  /** `standby` has loaded its code and takes over when the active one dies; `draining` only ends its calls. */
  role: 'active' | 'standby' | 'draining'
  pid: number | null
  uid: number | null
  state: InstanceState
  generation: number
  workspace: string
  tier: IsolationTier
  calls_in_flight: number
  started_at: string
  ready_ms: number | null
  memory_bytes: number | null
  cpu_time_ms: number | null
  /** What was read back of what holds it, before it got the plugin's code; null before that. */
  attestation: AttestationSummary | null
  /** What the plugin's own `health()` says; null where it has none or did not answer in time. */
  health: unknown
}

export interface ExitInfo {
  class: ExitClass
  at: string
  generation: number
  code: number | null
  signal: string | null
  message: string
}

/** What `get_plugin_info` answers. */
export interface PluginInfo extends PluginSummary {
  license: string | null
  homepage: string | null
  entry_point: string | null
  /** Libraries that the plugin says it uses: information, kept and shown, nothing is installed from it. */
  dependencies: Record<string, string>
  plugin_dependencies: Record<string, string>
  operation_details: OperationInfo[]
  messages: MessageInfo[]
  permissions: PermissionInfo[]
  limits: LimitInfo[]
  configuration_schema: Record<string, unknown> | null
  issues: ManifestIssue[]
  /** What the plugin itself says once it runs: `metadata()` and `capabilities()`. */
  reported: { metadata: unknown; capabilities: unknown } | null
  instances: InstanceInfo[]
  last_exit: ExitInfo | null
  /** Problems that keep a right from working, `fs_write:./out: owned by uid 0, not writable for uid 20001`. */
  notices: string[]
}
