import { DESIGN_NAMES, LAUNCHER_NAMES } from './design.ts'
import type { Figure, Findings, Measurement } from './findings.ts'
import type { Outcome } from './judge.ts'
import { quantity } from './quantity.ts'

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

/** Every subject's figures, side by side, one table for each part of the bench. */
export function figureTables(findings: Findings): string {
  const parts = [...new Set(findings.samples.map((sample) => sample.part))]
  return parts.map((part) => figureTable(findings, part)).join('\n\n')
}

function figureTable(findings: Findings, part: string): string {
  const samples = findings.samples.filter((sample) => sample.part === part)
  const present = new Set(samples.map((sample) => sample.subject))
  const subjects = [...new Set<string>([...DESIGN_NAMES, ...LAUNCHER_NAMES, ...present])].filter((subject) =>
    present.has(subject),
  )
  const measurements = [...new Set(samples.map((sample) => sample.measurement))]
  const rows = measurements.map((measurement) => [
    measurement.replaceAll('_', ' '),
    ...subjects.map((subject) => shown(findings.figure(subject, measurement) ?? null, measurement)),
  ])
  return aligned([[`${part}: best (median)`, ...subjects], ...rows])
}

function shown(figure: Figure | null, measurement: Measurement): string {
  if (figure === null) return EMPTY
  const best = quantity(figure.best, measurement)
  return `${best} (${quantity(figure.median, measurement)})`
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
