import type { Figure, Findings, Measurement } from './findings.ts'

interface Goal {
  what: string
  measurement: Measurement
  floor: string
  /** The ratio ours / floor: at most this, or at least this. */
  atMost?: number
  atLeast?: number
  /** Which ratio decides. Best of rounds where the work is the same each time; a start is judged by its usual time. */
  decides: keyof Figure
}

export interface Outcome {
  what: string
  measurement: Measurement
  floor_name: string
  ours: Figure | null
  floor: Figure | null
  ratio: Figure | null
  goal: string
  /** `partly`: by the ratio that decides, yes, but not by the other one. */
  met: 'yes' | 'partly' | 'no' | 'not measured'
}

const GOALS: readonly Goal[] = [
  {
    what: '100 B p50 / raw relay',
    measurement: 'latency_100b_p50_us',
    floor: 'raw-relay',
    atMost: 1.35,
    decides: 'best',
  },
  {
    what: '100 B, 64 in flight / JSON relay',
    measurement: 'throughput_100b_per_s',
    floor: 'json-relay',
    atLeast: 0.7,
    decides: 'best',
  },
  {
    what: '100 B, 64 in flight / naive',
    measurement: 'throughput_100b_per_s',
    floor: 'naive',
    atLeast: 5,
    decides: 'best',
  },
  {
    what: '10 KB p50 / JSON relay',
    measurement: 'latency_10kb_p50_us',
    floor: 'json-relay',
    atMost: 1.15,
    decides: 'best',
  },
  {
    what: '1 MB p50 / JSON relay',
    measurement: 'latency_1mb_p50_us',
    floor: 'json-relay',
    atMost: 1.25,
    decides: 'best',
  },
  {
    what: 'daemon peak / 64 MB payload',
    measurement: 'daemon_peak_64mb_bytes',
    floor: 'payload',
    atMost: 3,
    decides: 'best',
  },
  {
    what: 'sandboxed start / bare node',
    measurement: 'ready_ms',
    floor: 'bare-node',
    atMost: 1.7,
    decides: 'median',
  },
  {
    what: 'idle private memory / bare node',
    measurement: 'idle_private_bytes',
    floor: 'bare-node',
    atMost: 1.3,
    decides: 'median',
  },
]

export function judge(findings: Findings): Outcome[] {
  return GOALS.map((goal) => outcomeOf(goal, findings))
}

function outcomeOf(goal: Goal, findings: Findings): Outcome {
  const { what, measurement, atMost, atLeast } = goal
  const ours = findings.figure('ours', measurement) ?? null
  const floor = findings.figure(goal.floor, measurement) ?? null
  const ratio = ours && floor && { best: ours.best / floor.best, median: ours.median / floor.median }
  return {
    what,
    measurement,
    floor_name: goal.floor,
    ours,
    floor,
    ratio,
    goal: atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`,
    met: ratio === null ? 'not measured' : verdict(goal, ratio),
  }
}

function verdict(goal: Goal, ratio: Figure): Outcome['met'] {
  const fits = (value: number): boolean => value <= (goal.atMost ?? Infinity) && value >= (goal.atLeast ?? 0)
  if (!fits(ratio[goal.decides])) return 'no'
  return fits(ratio.best) && fits(ratio.median) ? 'yes' : 'partly'
}
