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
