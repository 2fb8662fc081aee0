import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import { startPinned } from './pinned-process.ts'
import type { IdleQuestions, InstalledQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const IDLE_ENTRY = new URL('../ours/idle.main.ts', import.meta.url)
const INSTALLED_ENTRY = new URL('../ours/installed.main.ts', import.meta.url)
const IDLE = { plugins: 100, settleMs: 3_000, measureMs: 16_000 }
const QUICK_IDLE = { plugins: 5, settleMs: 0, measureMs: 500 }
const INSTALLED = { plugins: 5_000, starts: 3 }
const QUICK_INSTALLED = { plugins: 200, starts: 1 }

/** What running plugins take of the processor while nobody calls, then what it costs to watch them at work. */
export async function measureIdle(setting: Setting, findings: Findings): Promise<void> {
  const { plugins, settleMs, measureMs } = setting.isQuick ? QUICK_IDLE : IDLE
  const folder = path.join(setting.folder, 'idle')
  const client = startPinned<IdleQuestions>(IDLE_ENTRY, 'ours', { core: setting.core, folder })
  setting.tell(`idle: ${plugins} plugins, ${measureMs / 1000} s`)
  try {
    await findings.attempt('ours', 1, async () => {
      await client.ask('start', { plugins })
      await sleep(settleMs)
      const { daemonPercent, runnersPercent } = await client.ask('cpu', { measureMs })
      findings.add('ours', 'idle_all_percent', 1, daemonPercent + runnersPercent)
      findings.add('ours', 'idle_daemon_percent', 1, daemonPercent)
      findings.add('ours', 'idle_runners_percent', 1, runnersPercent)
      // Each has a call that only waits: busy to the daemon, which looks at it four times a second.
      await client.ask('occupy', null)
      const watching = await client.ask('cpu', { measureMs })
      findings.add('ours', 'watching_daemon_percent', 1, watching.daemonPercent)
    })
  } finally {
    await client.close()
  }
}

/** How a daemon starts, and what it holds, with many plugins that nobody calls. */
export async function measureInstalled(setting: Setting, findings: Findings): Promise<void> {
  const { plugins, starts } = setting.isQuick ? QUICK_INSTALLED : INSTALLED
  const folder = path.join(setting.folder, 'installed')
  const client = startPinned<InstalledQuestions>(INSTALLED_ENTRY, 'ours', { core: setting.core, folder })
  setting.tell(`installed: ${plugins} plugins, 2 x ${starts} starts`)
  try {
    await findings.attempt('ours', 0, async () => {
      await client.ask('start', { plugins })
      for (let round = 1; round <= starts; round += 1) {
        for (const start of ['first', 'again'] as const) {
          const answer = await client.ask('startDaemon', { isFirst: start === 'first' })
          findings.add('ours', `installed_${start}_ready_ms`, round, answer.readyMs)
          findings.add('ours', 'installed_peak_bytes', round, answer.peakBytes)
          findings.add('ours', 'installed_settled_bytes', round, answer.settledBytes)
        }
      }
    })
  } finally {
    await client.close()
  }
}
