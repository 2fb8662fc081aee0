import type { Manifest } from '../../src/contract/manifest.ts'
import type { ExitInfo, ManifestIssue } from '../../src/contract/plugin-info.ts'
import type { PluginState } from '../../src/contract/life.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { nextPluginState, type PluginEvent } from '../supervisor/plugin-state.ts'

/** A plugin that can run: its manifest is there. */
export type RunnablePlugin = PluginRecord & { readonly manifest: Manifest }

/** What the plugin allows one run of an operation, and which of its two limits says so. */
export interface RunLimit {
  readonly limitMs: number
  readonly owner: 'operation' | 'max_execution_time_ms'
}

/** What the daemon knows of one plugin. */
export class PluginRecord {
  readonly id: string
  readonly directory: string
  readonly builtin: boolean
  readonly manifest: Manifest | null
  readonly issues: readonly ManifestIssue[]
  /** Counted up by every reload; the first is 1. */
  readonly generation = 1
  /** By canonical path of the workspace. */
  readonly lanes = new Map<string, InstanceLane>()
  lastExit: ExitInfo | null = null
  /** Why it is `invalid`, `blocked` or `failed`. */
  reason: string | null = null
  /** Whether its manifest asks for a right to write: then calls may create files. */
  readonly mayWrite: boolean
  readonly #runLimits: ReadonlyMap<string, RunLimit>
  readonly #generalLimit: RunLimit
  #state: PluginState = 'discovered'

  constructor(found: {
    id: string
    directory: string
    builtin: boolean
    manifest: Manifest | null
    issues: readonly ManifestIssue[]
  }) {
    this.id = found.id
    this.directory = found.directory
    this.builtin = found.builtin
    this.manifest = found.manifest
    this.issues = found.issues
    const { manifest } = found
    this.mayWrite = manifest?.permissions.some((permission) => permission.kind === 'fs_write') ?? false
    this.#generalLimit = { limitMs: manifest?.limits.maxExecutionTimeMs ?? 0, owner: 'max_execution_time_ms' }
    this.#runLimits = new Map(
      manifest?.operations.map(({ name, timeoutMs }) => [name, nearerLimit(timeoutMs, this.#generalLimit)]),
    )
  }

  get state(): PluginState {
    return this.#state
  }

  move(event: PluginEvent, reason: string | null = null): void {
    this.#state = nextPluginState(this.#state, event)
    this.reason = reason
  }

  /** A plugin whose manifest lists no operations takes any name. */
  hasOperation(operation: string): boolean {
    return this.#runLimits.size === 0 || this.#runLimits.has(operation)
  }

  runLimitOf(operation: string): RunLimit {
    return this.#runLimits.get(operation) ?? this.#generalLimit
  }

  isEnabled(): this is RunnablePlugin {
    return this.#state === 'enabled' && this.manifest !== null
  }
}

function nearerLimit(timeoutMs: number | null, general: RunLimit): RunLimit {
  return timeoutMs === null || timeoutMs >= general.limitMs
    ? general
    : { limitMs: timeoutMs, owner: 'operation' }
}
