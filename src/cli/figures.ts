/** Figures as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
const STEP = 1024
/** Below this a tenth of a millisecond tells something. */
const FINE_BELOW_MS = 10
const AGES = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

export function formatBytes(bytes: number): string {
  let amount = bytes
  let unit = 0
  while (amount >= STEP && unit < UNITS.length - 1) {
    amount /= STEP
    unit += 1
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit] ?? ''}`
}

export function formatDuration(durationMs: number): string {
  if (durationMs < FINE_BELOW_MS && !Number.isInteger(durationMs)) return `${durationMs.toFixed(1)} ms`
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`
  const seconds = durationMs / 1_000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** How long ago, in one unit. `now` within a second, and for what another clock puts ahead of ours. */
export function formatAge(at: string, nowMs: number): string {
  const ageMs = nowMs - Date.parse(at)
  for (const [unit, unitMs] of AGES) {
    if (ageMs >= unitMs) return `${Math.floor(ageMs / unitMs)} ${unit} ago`
  }
  return Number.isNaN(ageMs) ? '-' : 'now'
}

/** A share of 1 in per cent; what is not quite all, or not quite nothing, never reads as if it were. */
export function formatShare(share: number | null): string {
  if (share === null) return '-'
  const percent = (share * 100).toFixed(1)
  if (share < 1 && percent === '100.0') return '99.9 %'
  if (share > 0 && percent === '0.0') return '< 0.1 %'
  return `${Number(percent)} %`
}
