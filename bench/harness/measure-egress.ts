import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import { startPinned } from './pinned-process.ts'
import type { EgressQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const ENTRY = new URL('../ours/egress.main.ts', import.meta.url)
/** Some 1,700 requests, fewer than a plugin may make before the proxy makes it wait: that pace is no cost of a request. */
const SLOT = { warmUpMs: 100, measureMs: 300, minCalls: 50 }
/** Until it may make as many again, at a thousand a second. */
const REST_MS = 1_700
const QUICK_SLOT = { warmUpMs: 20, measureMs: 50, minCalls: 5 }

const TURNS = [
  ['ours', 'proxied', 'http'],
  ['direct', 'direct', 'http'],
  ['ours', 'proxied', 'fetch'],
  ['direct', 'direct', 'fetch'],
] as const

/** One kept-alive GET after another, through the daemon's proxy and without it. */
export async function measureEgress(setting: Setting, findings: Findings): Promise<void> {
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  const folder = path.join(setting.folder, 'egress')
  const client = startPinned<EgressQuestions>(ENTRY, 'ours', { core: setting.core, folder })
  setting.tell(`egress: ${setting.rounds} rounds`)
  try {
    await findings.attempt('ours', 0, async () => {
      const { tier } = await client.ask('start', null)
      findings.tier ??= tier
      if (tier !== 'namespace') throw new Error('without a network namespace nobody is granted the network')
    })
    for (let round = 1; round <= setting.rounds; round += 1) {
      for (const [subject, question, way] of TURNS) {
        await findings.attempt(subject, round, async () => {
          if (question === 'proxied' && !setting.isQuick) await sleep(REST_MS)
          const { p50, p99 } = await client.ask(question, { way, slot })
          findings.add(subject, `get_${way}_p50_us`, round, p50)
          findings.add(subject, `get_${way}_p99_us`, round, p99)
        })
      }
    }
  } finally {
    await client.close()
  }
}
