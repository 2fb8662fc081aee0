import path from 'node:path'
import type { Findings } from './findings.ts'
import { startPinned } from './pinned-process.ts'
import type { TakeOverQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const ENTRY = new URL('../ours/take-over.main.ts', import.meta.url)
const KILLS = 20
const QUICK_KILLS = 2

/** From the death of a plugin's process to the next answer, with a standby. */
export async function measureTakeOver(setting: Setting, findings: Findings): Promise<void> {
  const kills = setting.isQuick ? QUICK_KILLS : KILLS
  const folder = path.join(setting.folder, 'take-over')
  const client = startPinned<TakeOverQuestions>(ENTRY, 'ours', { core: setting.core, folder })
  setting.tell(`take-over: 2 x ${kills} kills`)
  try {
    await findings.attempt('ours', 0, async () => {
      await client.ask('start', null)
      for (let round = 1; round <= kills; round += 1) {
        const { nextMs, waitingMs, noticingMs } = await client.ask('takeOver', null)
        findings.add('ours', 'take_over_next_ms', round, nextMs)
        findings.add('ours', 'take_over_waiting_ms', round, waitingMs)
        findings.add('ours', 'take_over_noticing_ms', round, noticingMs)
      }
    })
  } finally {
    await client.close()
  }
}
