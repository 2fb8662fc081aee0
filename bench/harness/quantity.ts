import type { Measurement } from './findings.ts'

const MIB = 1024 * 1024

/** A value in the unit that its measurement's name ends with, for people. */
export function quantity(value: number, measurement: Measurement): string {
  if (measurement.endsWith('_count')) return String(value)
  if (measurement.endsWith('_percent')) return `${value.toFixed(2)} %`
  if (measurement.endsWith('_per_s')) return `${(value / 1000).toFixed(1)}k/s`
  if (measurement.endsWith('_bytes')) return `${(value / MIB).toFixed(1)} MiB`
  if (measurement.endsWith('_us') && value < 1000) return `${value.toFixed(1)} us`
  return `${(measurement.endsWith('_us') ? value / 1000 : value).toFixed(2)} ms`
}
