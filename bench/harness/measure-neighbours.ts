import path from 'node:path'
import type { Findings } from './findings.ts'
import type { Slot } from './measure.ts'
import { startPinned } from './pinned-process.ts'
import type { PingPongQuestions, TroubleQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const TROUBLE_ENTRY = new URL('../ours/trouble.main.ts', import.meta.url)
const PING_PONG_ENTRY = new URL('../floors/ping-pong.main.ts', import.meta.url)
const WEDGED = 5
const FLOODING = 2
const ROUNDS = 2
/** A p99 beside others that want the core depends on whose turn it is: the usual one counts. */
const LOOKS = 4
/** Longer than the daemon watches who takes more than its share (`throttle.window_ms`). */
const SETTLE_MS = 4_000
const SLOT: Slot = { warmUpMs: 200, measureMs: 2_000, minCalls: 100 }
const QUICK_SLOT: Slot = { warmUpMs: 20, measureMs: 200, minCalls: 5 }

/**
 * A healthy plugin beside wedged ones, and others that clients flood; then two bare processes beside the same load:
 * one spinner for each of those plugins' processes and for each client that floods, as nice as that one was.
 */
export async function measureNeighbours(setting: Setting, findings: Findings): Promise<void> {
  const rounds = setting.isQuick ? 1 : ROUNDS
  for (let round = 1; round <= rounds; round += 1) {
    setting.tell(`neighbours: round ${round} of ${rounds}`)
    let niceValues: readonly number[] = Array.from({ length: WEDGED + 2 * FLOODING }, () => 0)
    await findings.attempt('ours', round, async () => {
      niceValues = await measureOurs(setting, findings, round)
      setting.tell(`neighbours: nice values ${niceValues.join(', ')}`)
    })
    await findings.attempt('bare-pair', round, () => measureFloor(setting, findings, { round, niceValues }))
  }
}

async function measureOurs(setting: Setting, findings: Findings, round: number): Promise<readonly number[]> {
  const { isQuick, core } = setting
  const folder = path.join(setting.folder, `trouble-${round}`)
  const client = startPinned<TroubleQuestions>(TROUBLE_ENTRY, 'ours', { core, folder })
  try {
    const settleMs = isQuick ? 0 : SETTLE_MS
    const { niceValues } = await client.ask('start', { wedged: WEDGED, flooding: FLOODING, settleMs })
    for (const slot of slots(isQuick)) {
      const answer = await client.ask('latency', { slot })
      findings.add('ours', 'beside_trouble_p50_us', round, answer.p50)
      findings.add('ours', 'beside_trouble_p99_us', round, answer.p99)
      findings.add('ours', 'flood_per_s', round, answer.floodPerSecond)
    }
    return niceValues
  } finally {
    await client.close()
  }
}

async function measureFloor(
  { folder: parent, core, isQuick }: Setting,
  findings: Findings,
  { round, niceValues }: { round: number; niceValues: readonly number[] },
): Promise<void> {
  const folder = path.join(parent, `ping-pong-${round}`)
  const client = startPinned<PingPongQuestions>(PING_PONG_ENTRY, 'bare-pair', { core, folder })
  try {
    await client.ask('start', { niceValues })
    for (const slot of slots(isQuick)) {
      const { p50, p99 } = await client.ask('latency', { slot })
      findings.add('bare-pair', 'beside_trouble_p50_us', round, p50)
      findings.add('bare-pair', 'beside_trouble_p99_us', round, p99)
    }
  } finally {
    await client.close()
  }
}

function slots(isQuick: boolean): Slot[] {
  return isQuick ? [QUICK_SLOT] : Array.from({ length: LOOKS }, () => SLOT)
}
