import type { Manifest } from '../../src/contract/manifest.ts'
import type { GenerationInfo } from '../../src/contract/generations.ts'
import type { ExitInfo, ManifestIssue } from '../../src/contract/plugin-info.ts'
import type { PluginState } from '../../src/contract/life.ts'
import type { Caller } from '../execution/execution.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { Generation } from '../generations/generation.ts'
import type { PluginMetrics } from '../metrics/plugin-metrics.ts'
import { nextPluginState, type PluginEvent } from '../supervisor/plugin-state.ts'

/** A plugin that can run: a generation of it serves. */
export type RunnablePlugin = PluginRecord & { readonly current: Generation; readonly manifest: Manifest }

/** What the daemon knows of one plugin, over all its generations. */
export class PluginRecord {
  readonly id: string
  readonly directory: string
  readonly builtin: boolean
  /** Of the manifest as it was read last. */
  issues: readonly ManifestIssue[] = []
  /** The generation that serves; null for a plugin that never had a valid manifest. */
  current: Generation | null = null
  /** Others that are remembered, the newest last: served before, on the way, or rejected. */
  others: Generation[] = []
  /** Those that failed before there was a manifest to make a generation of. */
  rejected: GenerationInfo[] = []
  lastGeneration = 0
  /** By canonical path of the workspace. */
  readonly lanes = new Map<string, InstanceLane>()
  lastExit: ExitInfo | null = null
  /** Why it is `invalid`, `blocked` or `failed`. */
  reason: string | null = null
  /** What its files say now, where that asks for more than is approved; null where it does not. */
  waiting: { readonly manifest: Manifest; readonly reason: string } | null = null
  /** Which of the plugins it needs is not there, in words; null when all are. */
  dependencyProblem: string | null = null
  /** Accepted calls without an answer, and those among them that wait for a place. */
  openCalls = 0
  queuedCalls = 0
  refusedCalls = 0
  /** As who sends messages: of all plugins each has its turns in a recipient's queue. */
  readonly caller: Caller = {}
  /** Switched off by its configuration. */
  isDisabled = false
  readonly metrics: PluginMetrics
  #state: PluginState = 'discovered'

  constructor(found: { id: string; directory: string; builtin: boolean }, metrics: PluginMetrics) {
    this.id = found.id
    this.directory = found.directory
    this.builtin = found.builtin
    this.metrics = metrics
  }

  get state(): PluginState {
    return this.#state
  }

  get manifest(): Manifest | null {
    return this.current?.manifest ?? null
  }

  move(event: PluginEvent, reason: string | null = null): void {
    this.#state = nextPluginState(this.#state, event)
    this.reason = reason
  }

  isEnabled(): this is RunnablePlugin {
    return this.#state === 'enabled' && this.current !== null
  }
}
