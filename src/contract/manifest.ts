/** What a `plugin.toml` says, after it was parsed and checked. Absent values stand here as their defaults. */
import type { LogLevel } from './execution.ts'
import type { PluginType } from './life.ts'
import type { Permission } from './permission.ts'

export interface Manifest {
  id: string
  name: string
  version: string
  type: PluginType
  author: string | null
  description: string
  license: string | null
  homepage: string | null
  /** Relative to the plugin's folder. */
  entryPoint: string
  /** Library information, kept and shown; nothing is installed from it. */
  dependencies: Readonly<Record<string, string>>
  /** Other plugins this one needs, by id, with a semver range. */
  pluginDependencies: Readonly<Record<string, string>>
  permissions: readonly Permission[]
  limits: ManifestLimits
  runtime: ManifestRuntime
  restart: ManifestRestart
  tags: readonly string[]
  operations: readonly ManifestOperation[]
  /** What it takes from other plugins and from applications; nothing else reaches it. */
  messages: readonly ManifestMessage[]
  /** JSON Schema of the plugin's configuration; null where it has none. */
  configuration: Readonly<Record<string, unknown>> | null
}

export interface ManifestLimits {
  /** An allowance above an idle runner of the plugin's type. */
  maxMemoryMb: number
  maxExecutionTimeMs: number
  /** Calls handed to the plugin's processes in a second, all workspaces together; the rest waits. Null: any number. */
  maxCallsPerSecond: number | null
  /** CPU time of the process over one call. Null: bounded by the deadline alone. */
  maxCpuTimeMs: number | null
  /** Share of the processor that the process has in the long run, 100 is one core. Null: as much as there is. */
  maxCpuPercent: number | null
  /** Null in what follows: the house's own default, see `src/contract/limits.ts`. */
  maxOpenFiles: number | null
  /** Threads count as well. */
  maxProcesses: number | null
  /** Of any one file that it writes. */
  maxFileSizeMb: number | null
  /** What its `data_dir` holds. */
  maxDiskMb: number | null
  /** Bytes of one result. Null: as many as the daemon lets any payload have. */
  maxOutputBytes: number | null
  maxNetworkConnections: number | null
  maxNetworkBytes: number | null
  maxNetworkRequests: number | null
}

export interface ManifestRuntime {
  /** Calls that one process runs at once. */
  concurrency: number
  /** Threads that `context.parallel` runs tasks on, as many as the machine has processors at most; 0: none. */
  threads: number
  /** Whether the plugin may make code from strings (`eval`, `new Function`). */
  eval: boolean
  /** Whether native addons load. */
  addons: boolean
  /** Whether `node:sqlite` is there. */
  sqlite: boolean
  /** Whether the plugin may debug itself by `node:inspector`. */
  inspector: boolean
  /** Whether `node:ffi` is there. */
  ffi: boolean
  logLevel: LogLevel
  /** `eager` starts with the daemon, `on_call` with the first call. */
  activation: 'on_call' | 'eager'
  /** An instance without calls for so long is stopped; 0 never. Null: what the daemon's configuration says. */
  idleTimeoutMs: number | null
  /** Processes with loaded code kept ready beside each instance, to take over when it dies. */
  standby: 0 | 1
  /** Holds what only one process can: a reload stops the old generation before the new one starts. */
  exclusive: boolean
  /** Calls that may wait, all workspaces together; one more is answered with QUEUE_FULL. */
  maxQueuedCalls: number
}

/** Parts of Node that go past its own permission model: what is left are the walls around the process. */
export const RUNTIME_CAPABILITIES = ['addons', 'sqlite', 'inspector', 'ffi'] as const

export type RuntimeCapabilities = Readonly<Pick<ManifestRuntime, (typeof RUNTIME_CAPABILITIES)[number]>>

export const NO_CAPABILITIES: RuntimeCapabilities = {
  addons: false,
  sqlite: false,
  inspector: false,
  ffi: false,
}

/**
 * What becomes of a plugin whose process ended, in the words of OTP's supervisors
 * (https://www.erlang.org/doc/apps/stdlib/supervisor.html).
 */
export interface ManifestRestart {
  /** `permanent`: always started again. `transient`: after an abnormal end. `temporary`: only by the next call. */
  policy: RestartPolicyName
  /** More abnormal ends than this within `periodMs`, and the plugin is `failed` until it is reset or changed. */
  intensity: number
  periodMs: number
  /** Time for `shutdown` before the process is killed. */
  shutdownMs: number
}

export type RestartPolicyName = 'permanent' | 'transient' | 'temporary'

export interface ManifestMessage {
  type: string
  description: string
  /** Ids of plugins, or `*` for every plugin. Null: what applications send, and no plugin. */
  from: readonly string[] | null
  /** Of the payload; inline, or read from the file that the manifest names. */
  inputSchema: Readonly<Record<string, unknown>> | null
}

export interface ManifestOperation {
  name: string
  description: string
  /** Inline, or read from the file that the manifest names. */
  inputSchema: Readonly<Record<string, unknown>> | null
  outputSchema: Readonly<Record<string, unknown>> | null
  idempotent: boolean
  timeoutMs: number | null
}
