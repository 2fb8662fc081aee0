import path from 'node:path'
import type { Findings } from './findings.ts'
import type { Slot } from './measure.ts'
import { startPinned, type PinnedProcess } from './pinned-process.ts'
import type { PingPongQuestions, TroubleQuestions } from './questions.ts'
import type { Setting } from './setting.ts'
import { median, quantile } from './statistics.ts'

const TROUBLE_ENTRY = new URL('../ours/trouble.main.ts', import.meta.url)
const PING_PONG_ENTRY = new URL('../floors/ping-pong.main.ts', import.meta.url)
const WEDGED = 5
const FLOODING = 2
const ROUNDS = 3
/** Whose turn of the core it is decides a p99: those of many turns are put together. */
const TURNS = 16
/** Longer than the daemon watches who takes more than its share (`throttle.window_ms`). */
const SETTLE_MS = 4_000
const SLOT: Slot = { warmUpMs: 50, measureMs: 300, minCalls: 20 }
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
  const times = { ours: [] as number[], 'bare-pair': [] as number[] }
  const floods: number[] = []
  for (let turn = 0; turn < (isQuick ? 1 : TURNS); turn += 1) {
    const { timesUs, floodPerSecond } = await trouble.ask('turn', { slot })
    for (const us of timesUs) times.ours.push(us)
    floods.push(floodPerSecond)
    for (const us of (await pair.ask('turn', { slot })).timesUs) times['bare-pair'].push(us)
  }
  tell('ours', 'flood_per_s', median(floods))
  for (const subject of ['ours', 'bare-pair'] as const) {
    const sorted = Float64Array.from(times[subject]).toSorted()
    tell(subject, 'beside_trouble_p50_us', quantile(sorted, 0.5))
    tell(subject, 'beside_trouble_p99_us', quantile(sorted, 0.99))
  }
}
