import type { Figure, Findings, Measurement } from './findings.ts'
import { GOALS, type Goal } from './goals.ts'
import { quantity } from './quantity.ts'

export interface Outcome {
  what: string
  measurement: Measurement
  /** Null for a goal that is a figure by itself. */
  floor_name: string | null
  ours: Figure | null
  floor: Figure | null
  ratio: Figure | null
  goal: string
  /** `partly`: by the figure that decides, yes, but not by the best or the median. */
  met: 'yes' | 'partly' | 'no' | 'not measured'
}

export function judge(findings: Findings): Outcome[] {
  return GOALS.map((goal) => outcomeOf(goal, findings))
}

function outcomeOf(goal: Goal, findings: Findings): Outcome {
  const { what, measurement, subject = 'ours', floor: floorName } = goal
  const ours = findings.figure(subject, measurement) ?? null
  const floor = floorName === null ? null : (findings.figure(floorName, measurement) ?? null)
  const ratio = ours && floor && ratioOf(ours, floor)
  const judged = floorName === null ? ours : ratio
  return {
    what,
    measurement,
    floor_name: floorName,
    ours,
    floor,
    ratio,
    goal: goalText(goal),
    met: judged === null ? 'not measured' : verdict(goal, judged),
  }
}

function ratioOf(ours: Figure, floor: Figure): Figure {
  return {
    best: ours.best / floor.best,
    median: ours.median / floor.median,
    worst: ours.worst / floor.worst,
  }
}

function goalText({ floor, measurement, atMost, atLeast }: Goal): string {
  const sign = atMost === undefined ? '>=' : '<='
  const bound = atMost ?? atLeast ?? 0
  return `${sign} ${floor === null ? quantity(bound, measurement) : bound}`
}

function verdict(goal: Goal, judged: Figure): Outcome['met'] {
  const fits = (value: number): boolean => value <= (goal.atMost ?? Infinity) && value >= (goal.atLeast ?? 0)
  if (!fits(judged[goal.decides])) return 'no'
  return fits(judged.best) && fits(judged.median) ? 'yes' : 'partly'
}
