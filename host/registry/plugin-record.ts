import type { Manifest } from '../../src/contract/manifest.ts'
import type { ExitInfo, ManifestIssue } from '../../src/contract/plugin-info.ts'
import type { PluginState } from '../../src/contract/life.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { nextPluginState, type PluginEvent } from '../supervisor/plugin-state.ts'

/** A plugin that can run: its manifest is there. */
export type RunnablePlugin = PluginRecord & { readonly manifest: Manifest }

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
  }

  get state(): PluginState {
    return this.#state
  }

  move(event: PluginEvent, reason: string | null = null): void {
    this.#state = nextPluginState(this.#state, event)
    this.reason = reason
  }

  isEnabled(): this is RunnablePlugin {
    return this.#state === 'enabled' && this.manifest !== null
  }
}
