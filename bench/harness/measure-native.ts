import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildRustEcho } from './build-rust.ts'
import type { Findings } from './findings.ts'
import { startPinned } from './pinned-process.ts'
import type { NativeQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const ENTRY = new URL('../ours/native.main.ts', import.meta.url)
const LAUNCHES = 25
const QUICK_LAUNCHES = 2
const SLOT = { warmUpMs: 300, measureMs: 700, minCalls: 50 }
const QUICK_SLOT = { warmUpMs: 20, measureMs: 50, minCalls: 5 }
const SETTLE_MS = 1_000

/** Start, call and memory of a plugin in Rust: against the bare program, and against the same echo in JavaScript. */
export async function measureNative(setting: Setting, findings: Findings): Promise<void> {
  setting.tell('native: building the plugin')
  let program = ''
  await findings.attempt('ours', 0, async () => void (program = await buildRustEcho()))
  if (program === '') return
  const folder = path.join(setting.folder, 'native')
  const client = startPinned<NativeQuestions>(ENTRY, 'native', { core: setting.core, folder })
  const pids: number[] = []
  try {
    await findings.attempt('ours', 0, async () => {
      const { tier } = await client.ask('start', { program })
      findings.tier ??= tier
      // The first one fills caches and builds what is built once.
      for (const subject of ['ours', 'bare-rust'] as const) await client.ask('launch', { subject })
    })
    const launches = setting.isQuick ? QUICK_LAUNCHES : LAUNCHES
    setting.tell(`native: ${launches} launches each, ${setting.rounds} rounds of calls`)
    for (let round = 1; round <= launches; round += 1) {
      for (const subject of ['bare-rust', 'ours'] as const) {
        await findings.attempt(subject, round, async () => {
          const { pid, readyMs } = await client.ask('launch', { subject })
          findings.add(subject, 'native_ready_ms', round, readyMs)
          if (subject === 'ours') pids.push(pid)
        })
      }
    }
    await measureCalls({ setting, findings, client })
    await sleep(SETTLE_MS)
    await findings.attempt('ours', launches, async () => {
      const { privateBytes } = await client.ask('idleMemory', { pids })
      privateBytes.forEach((bytes, at) => findings.add('ours', 'native_idle_private_bytes', at + 1, bytes))
    })
  } finally {
    await client.close()
  }
}

async function measureCalls(on: {
  setting: Setting
  findings: Findings
  client: ReturnType<typeof startPinned<NativeQuestions>>
}): Promise<void> {
  const { setting, findings, client } = on
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  for (let round = 1; round <= setting.rounds; round += 1) {
    for (const subject of ['ours', 'javascript'] as const) {
      await findings.attempt(subject, round, async () => {
        const { p50, p99 } = await client.ask('latency', { subject, slot })
        findings.add(subject, 'native_100b_p50_us', round, p50)
        findings.add(subject, 'native_100b_p99_us', round, p99)
      })
    }
  }
}
