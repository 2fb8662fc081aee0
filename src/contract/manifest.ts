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
  /** JSON Schema of the plugin's configuration; null where it has none. */
  configuration: Readonly<Record<string, unknown>> | null
}

export interface ManifestLimits {
  /** An allowance above an idle runner of the plugin's type. */
  maxMemoryMb: number
  maxExecutionTimeMs: number
}

export interface ManifestRuntime {
  /** Calls that one process runs at once. */
  concurrency: number
  /** Whether the plugin may make code from strings (`eval`, `new Function`). */
  eval: boolean
  logLevel: LogLevel
}

export interface ManifestRestart {
  /** Time for `shutdown` before the process is killed. */
  shutdownMs: number
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
