import { DESIGN_NAMES, LAUNCHER_NAMES } from './design.ts'
import type { Figure, Findings, Measurement } from './findings.ts'
import type { Outcome } from './goals.ts'

const MIB = 1024 * 1024
const EMPTY = '-'

/** Goals against what was measured; each figure is `best (median)`. */
export function goalTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ what, measurement, ours, floor, ratio, goal, met }) => [
    what,
    shown(ours, measurement),
    shown(floor, measurement),
    ratio === null ? EMPTY : `${ratio.best.toFixed(2)} (${ratio.median.toFixed(2)})`,
    goal,
    met,
  ])
  return aligned([['what', 'ours', 'floor', 'ratio', 'goal', 'met?'], ...rows])
}

/** Every subject's figures, side by side. */
export function figureTable(findings: Findings): string {
  const subjects = [...new Set([...DESIGN_NAMES, ...LAUNCHER_NAMES])].filter((subject) =>
    findings.samples.some((sample) => sample.subject === subject),
  )
  const measurements = [...new Set(findings.samples.map((sample) => sample.measurement))]
  const rows = measurements.map((measurement) => [
    measurement.replaceAll('_', ' '),
    ...subjects.map((subject) => shown(findings.figure(subject, measurement) ?? null, measurement)),
  ])
  return aligned([['best (median)', ...subjects], ...rows])
}

function shown(figure: Figure | null, measurement: Measurement): string {
  if (figure === null) return EMPTY
  const best = quantity(figure.best, measurement)
  return `${best} (${quantity(figure.median, measurement)})`
}

function quantity(value: number, measurement: Measurement): string {
  if (measurement.endsWith('_per_s')) return `${(value / 1000).toFixed(1)}k/s`
  if (measurement.endsWith('_bytes')) return `${(value / MIB).toFixed(1)} MiB`
  if (measurement.endsWith('_us') && value < 1000) return `${value.toFixed(1)} us`
  return `${(measurement.endsWith('_us') ? value / 1000 : value).toFixed(2)} ms`
}

function aligned(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
