/** What `get_generations` and `get_incidents` answer. */
import type { ExitClass } from './life.ts'

/** In the order in which a new generation passes them. */
export const GATES = [
  'manifest',
  'permissions',
  'dependencies',
  'configuration',
  'spawn',
  'initialize',
  'health',
  'probation',
] as const
export type Gate = (typeof GATES)[number]

/**
 * `current` serves, `probation` serves and is watched, `superseded` served before, `rejected` failed at a gate,
 * `rolled_back` served and was taken back.
 */
export type GenerationState = 'current' | 'probation' | 'superseded' | 'rejected' | 'rolled_back'

/** What made a generation. */
export type GenerationCause = 'start' | 'files' | 'call' | 'configuration' | 'permissions' | 'rollback'

export interface GenerationInfo {
  generation: number
  state: GenerationState
  cause: GenerationCause
  version: string | null
  /** Of the files it was made from; null until they were read. */
  digest: string | null
  at: string
  /** Where it failed and why; null for those that did not. */
  failure: { gate: Gate; message: string } | null
  /** Whether its files are kept, so that `rollback_plugin` can bring it back. */
  kept: boolean
}

export interface ReloadResult {
  plugin_id: string
  /** Nothing had changed; then `generation` is the one that serves. */
  changed: boolean
  generation: number
  /** From the request to the switch. */
  duration_ms: number
}

export type IncidentKind =
  | 'exit'
  | 'start_failed'
  | 'gave_up'
  | 'reload_rejected'
  | 'rolled_back'
  | 'breaker_opened'

/** Something that went wrong with a plugin, as `phantom why` tells it. */
export interface Incident {
  at: string
  plugin_id: string
  kind: IncidentKind
  generation: number
  /** How the process ended; null for what was no end of one. */
  class: ExitClass | null
  message: string
  workspace: string | null
  /** The limits that held. */
  limits: Record<string, number>
  /** The last lines that the plugin logged before, `level: text`. */
  log: string[]
  /** What the supervisor did about it, in words. */
  action: string
}
