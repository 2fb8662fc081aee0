import path from 'node:path'
import type { Findings } from './findings.ts'
import type { Slot } from './measure.ts'
import { startPinned } from './pinned-process.ts'
import { BOMBS, type BombQuestions, type PingPongQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const BOMBS_ENTRY = new URL('../ours/bombs.main.ts', import.meta.url)
const PING_PONG_ENTRY = new URL('../floors/ping-pong.main.ts', import.meta.url)
const ROUNDS = 3
const SLOT: Slot = { warmUpMs: 100, measureMs: 1_500, minCalls: 50 }
const QUICK_SLOT: Slot = { warmUpMs: 10, measureMs: 50, minCalls: 5 }

/**
 * A healthy plugin beside one that takes all it gets of one thing, and how far that one comes beyond its limit; then
 * two bare processes beside one that spins.
 */
export async function measureBombs(setting: Setting, findings: Findings): Promise<void> {
  const rounds = setting.isQuick ? 1 : ROUNDS
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  for (let round = 1; round <= rounds; round += 1) {
    setting.tell(`bombs: round ${round} of ${rounds}`)
    await findings.attempt('ours', round, () => measureOurs(setting, findings, { round, slot }))
    await findings.attempt('bare-pair', round, () => measureFloor(setting, findings, { round, slot }))
  }
}

interface Turn {
  readonly round: number
  readonly slot: Slot
}

async function measureOurs(
  { core, folder: parent }: Setting,
  findings: Findings,
  { round, slot }: Turn,
): Promise<void> {
  const folder = path.join(parent, `bombs-${round}`)
  const client = startPinned<BombQuestions>(BOMBS_ENTRY, 'ours', { core, folder })
  try {
    const { tier } = await client.ask('start', null)
    findings.tier ??= tier
    for (const kind of BOMBS) {
      const { p99, overBytes, overMs } = await client.ask('bomb', { kind, slot })
      findings.add('ours', `bomb_${kind}_p99_us`, round, p99)
      findings.add('ours', 'bomb_memory_over_bytes', round, Math.max(0, overBytes))
      if (kind === 'cpu' || kind === 'wall')
        findings.add('ours', 'bomb_wall_over_ms', round, Math.max(0, overMs))
    }
  } finally {
    await client.close()
  }
}

async function measureFloor(
  { core, folder: parent }: Setting,
  findings: Findings,
  { round, slot }: Turn,
): Promise<void> {
  const folder = path.join(parent, `bombs-floor-${round}`)
  const client = startPinned<PingPongQuestions>(PING_PONG_ENTRY, 'bare-pair', { core, folder })
  try {
    await client.ask('start', { niceValues: [0] })
    const { p99 } = await client.ask('latency', { slot })
    for (const kind of BOMBS) findings.add('bare-pair', `bomb_${kind}_p99_us`, round, p99)
  } finally {
    await client.close()
  }
}
