import path from 'node:path'
import type { Findings } from './findings.ts'
import type { Slot } from './measure.ts'
import { startPinned, type PinnedProcess } from './pinned-process.ts'
import type { PingPongQuestions, TroubleQuestions } from './questions.ts'
import type { Setting } from './setting.ts'
import { quantile } from './statistics.ts'

const TROUBLE_ENTRY = new URL('../ours/trouble.main.ts', import.meta.url)
const PING_PONG_ENTRY = new URL('../floors/ping-pong.main.ts', import.meta.url)
const WEDGED = 5
const FLOODING = 2
const ROUNDS = 3
/** Longer than the daemon watches who takes more than its share (`throttle.window_ms`). */
const SETTLE_MS = 4_000
/** One in 50 to 120 of the floor's calls meets a turn of others: in a short look that is its p99, or is not, by chance. */
const SLOT: Slot = { warmUpMs: 1_000, measureMs: 8_000, minCalls: 20 }
const QUICK_SLOT: Slot = { warmUpMs: 20, measureMs: 200, minCalls: 5 }

/**
 * A healthy plugin beside wedged ones, and others that clients flood, and, in turn with it, two bare processes beside the
 * same load: one spinner for each of those plugins' processes and for each client that floods, as nice as that one was.
 */
export async function measureNeighbours(setting: Setting, findings: Findings): Promise<void> {
  const rounds = setting.isQuick ? 1 : ROUNDS
  for (let round = 1; round <= rounds; round += 1) {
    setting.tell(`neighbours: round ${round} of ${rounds}`)
    await findings.attempt('ours', round, () => measureRound(setting, findings, round))
  }
}

async function measureRound(setting: Setting, findings: Findings, round: number): Promise<void> {
  const { isQuick, core, folder } = setting
  const [troubleFolder, pairFolder] = ['trouble', 'ping-pong'].map((name) =>
    path.join(folder, `${name}-${round}`),
  )
  const trouble = startPinned<TroubleQuestions>(TROUBLE_ENTRY, 'ours', { core, folder: troubleFolder! })
  const pair = startPinned<PingPongQuestions>(PING_PONG_ENTRY, 'bare-pair', { core, folder: pairFolder! })
  try {
    const settleMs = isQuick ? 0 : SETTLE_MS
    const { niceValues } = await trouble.ask('start', { wedged: WEDGED, flooding: FLOODING, settleMs })
    setting.tell(`neighbours: nice values ${niceValues.join(', ')}`)
    await pair.ask('start', { niceValues })
    await takeTurns({ trouble, pair }, isQuick, (subject, name, value) =>
      findings.add(subject, name, round, value),
    )
  } finally {
    await Promise.all([trouble.close(), pair.close()])
  }
}

interface Sides {
  readonly trouble: PinnedProcess<TroubleQuestions>
  readonly pair: PinnedProcess<PingPongQuestions>
}

type Tell = (
  subject: 'ours' | 'bare-pair',
  name: 'beside_trouble_p50_us' | 'beside_trouble_p99_us' | 'flood_per_s',
  value: number,
) => void

/** Where one side measures, the other one's load is stopped. */
async function takeTurns({ trouble, pair }: Sides, isQuick: boolean, tell: Tell): Promise<void> {
  const slot = isQuick ? QUICK_SLOT : SLOT
  const ours = await trouble.ask('turn', { slot })
  const floor = await pair.ask('turn', { slot })
  tell('ours', 'flood_per_s', ours.floodPerSecond)
  for (const [subject, { timesUs }] of [
    ['ours', ours],
    ['bare-pair', floor],
  ] as const) {
    const sorted = Float64Array.from(timesUs).toSorted()
    tell(subject, 'beside_trouble_p50_us', quantile(sorted, 0.5))
    tell(subject, 'beside_trouble_p99_us', quantile(sorted, 0.99))
  }
}
