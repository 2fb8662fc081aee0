import type { ManifestLimits } from '../../src/contract/manifest.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import type { LimitBreach } from '../execution/limit-error.ts'

/** The call for which a process announced a result larger than its manifest allows; null where it broke the protocol otherwise. */
export function announcedTooMuch(
  { details }: PhantomError,
  { maxOutputBytes: declared }: ManifestLimits,
): { id: number; breach: LimitBreach } | null {
  const { id, payload_bytes: measured } = details
  // The table of calls knows whole numbers only.
  if (typeof id !== 'number' || id < 0 || typeof measured !== 'number') return null
  if (declared === null || measured <= declared) return null
  return { id, breach: { limit: 'max_output_bytes', declared, measured } }
}
