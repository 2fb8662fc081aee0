import path from 'node:path'
import type { Findings } from './findings.ts'
import type { Latency, Slot } from './measure.ts'
import { startPinned } from './pinned-process.ts'
import { BOMBS, isNativeBomb, type Bomb, type BombAnswer, type BombQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const BOMBS_ENTRY = new URL('../ours/bombs.main.ts', import.meta.url)
const ROUNDS = 3
/** Some 15,000 calls of each; the bomb goes off from three times (`wall`) to thousands. */
const SLOT: Slot = { warmUpMs: 50, measureMs: 2_000, minCalls: 1_000 }
/** Until the code of both is compiled, before the first bomb. */
const WARM_UP: Slot = { warmUpMs: 0, measureMs: 1_500, minCalls: 1_000 }
const QUICK_SLOT: Slot = { warmUpMs: 10, measureMs: 50, minCalls: 5 }

/**
 * A healthy plugin and bare processes in turn, beside one and the same plugin that takes all it gets of one thing; and how
 * far that one comes beyond its limit.
 */
export async function measureBombs(setting: Setting, findings: Findings): Promise<void> {
  const rounds = setting.isQuick ? 1 : ROUNDS
  for (let round = 1; round <= rounds; round += 1) {
    setting.tell(`bombs: round ${round} of ${rounds}`)
    await findings.attempt('ours', round, () => measureRound(setting, findings, round))
  }
}

async function measureRound(
  { core, folder: parent, isQuick, tell }: Setting,
  findings: Findings,
  round: number,
): Promise<void> {
  const folder = path.join(parent, `bombs-${round}`)
  const slot = isQuick ? QUICK_SLOT : SLOT
  const client = startPinned<BombQuestions>(BOMBS_ENTRY, 'ours', { core, folder })
  try {
    const { tier } = await client.ask('start', { warmUp: isQuick ? QUICK_SLOT : WARM_UP })
    findings.tier ??= tier
    for (const kind of inOrderOf(round)) {
      // Without Python the others go on.
      const subject = isNativeBomb(kind) ? 'native bombs' : 'ours'
      await findings.attempt(subject, round, async () => {
        const { effect, ...latencies } = await client.ask('bomb', { kind, slot })
        note(findings, round, { kind, effect, ...latencies })
        tell(`bombs: ${kind} ${effect.count} times beside ${latencies.ours.calls} calls of each`)
      })
    }
  } finally {
    await client.close()
  }
}

function note(
  findings: Findings,
  round: number,
  { kind, effect, ...latencies }: BombAnswer & { kind: Bomb },
): void {
  for (const [subject, { p50, p99 }] of subjectsOf(latencies)) {
    findings.add(subject, `bomb_${kind}_p50_us`, round, p50)
    findings.add(subject, `bomb_${kind}_p99_us`, round, p99)
  }
  findings.add('ours', 'bomb_memory_over_bytes', round, Math.max(0, effect.overBytes))
  if (kind === 'cpu' || kind === 'wall')
    findings.add('ours', 'bomb_wall_over_ms', round, Math.max(0, effect.overMs))
}

function subjectsOf({ ours, plugin, relayed, barePair }: Omit<BombAnswer, 'effect'>): [string, Latency][] {
  return [
    ['ours', ours],
    ['plugin', plugin],
    ['raw-relay', relayed],
    ['bare-pair', barePair],
  ]
}

/** Every second round the other way round: what a bomb leaves behind meets another one next. */
function inOrderOf(round: number): readonly Bomb[] {
  return round % 2 === 1 ? BOMBS : BOMBS.toReversed()
}
