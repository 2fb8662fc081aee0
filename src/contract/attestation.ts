import type { IsolationTier } from './life.ts'

/**
 * `holds`: read back as it was declared. `differs`: read back, and otherwise; such a process never gets a plugin's
 * code. `not_readable`: nobody could look. `not_held`: this tier does not promise it.
 */
type AttestationVerdict = 'holds' | 'differs' | 'not_readable' | 'not_held'

/** One thing that holds a plugin's process: what was declared, and what is so. */
export interface AttestationItem {
  /** `uid`, `namespace.net`, `rlimit.data`, `canary.read`, … */
  name: string
  declared: string
  /** Never the value of a variable. Null where it could not be read, or is not promised. */
  effective: string | null
  /** What enforces it; null where nothing does. */
  mechanism: string | null
  /** The kernel's file that it was read from, or the canary's attempt; null where it was not looked at. */
  proof: string | null
  verdict: AttestationVerdict
}

/** What `verify_plugin` answers: the table of the process that serves, or of the one that was refused just now. */
export interface PluginAttestation {
  plugin_id: string
  workspace: string
  generation: number
  tier: IsolationTier
  /** Null where it never came to be known. */
  pid: number | null
  /** When the process was looked at: before it got the plugin's code. */
  at: string
  /** Whether no item differs. */
  holds: boolean
  items: AttestationItem[]
}

/** Of one process, in `get_plugin_info`. */
export interface AttestationSummary {
  at: string
  /** How many items hold. */
  holding: number
  /** Names of those that nobody could look at, and of those that the tier does not promise. */
  not_readable: string[]
  not_held: string[]
}
