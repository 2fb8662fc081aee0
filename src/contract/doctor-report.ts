import type { IsolationTier } from './life.ts'
import type { RuntimeSource } from './runtime-source.ts'

export interface DoctorCheck {
  name: string
  ok: boolean
  /** What was found, in words. */
  found: string
  /** What enforces it here; null when nothing does. */
  mechanism: string | null
  /** The command or change that would mend it; null when there is nothing to mend. */
  remedy: string | null
}

export interface DoctorReport {
  tier: IsolationTier
  required_tier: IsolationTier
  /** What that tier can't hold a plugin to, each in words. */
  not_held: string[]
  runtime: { path: string; version: string; source: RuntimeSource | null }
  checks: DoctorCheck[]
}
