import type { ManifestLimits } from '../../src/contract/manifest.ts'

const MOST_MB = 16
const SHARE = 8

/**
 * The private `/tmp` is memory, which no limit of the kernel's counts: so it has a size of its own, and that is taken
 * from what the process may hold otherwise.
 */
export function temporaryMb({ maxMemoryMb }: ManifestLimits): number {
  return Math.min(MOST_MB, Math.max(1, Math.floor(maxMemoryMb / SHARE)))
}
