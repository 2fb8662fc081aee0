import path from 'node:path'
import type { Findings } from './findings.ts'
import { startPinned, type PinnedProcess } from './pinned-process.ts'
import type { LoadParams, ReloadQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

type Client = PinnedProcess<ReloadQuestions>

const ENTRY = new URL('../ours/reload.main.ts', import.meta.url)
const RELOADS = 25
const QUICK_RELOADS = 2
const IN_FLIGHT = 64
const LOAD: LoadParams = { inFlight: IN_FLIGHT, calls: 10_000, reloads: 50, brokenSaves: 5 }
const QUICK_LOAD: LoadParams = { inFlight: IN_FLIGHT, calls: 500, reloads: 4, brokenSaves: 1 }
const SLOT = { warmUpMs: 1_000, measureMs: 2_000, minCalls: 1 }
const QUICK_SLOT = { warmUpMs: 50, measureMs: 200, minCalls: 1 }

/** A new generation's way to serving, beside cold starts of the same daemon; and what calls notice of reloads. */
export async function measureReload(setting: Setting, findings: Findings): Promise<void> {
  const folder = path.join(setting.folder, 'reload')
  const client = startPinned<ReloadQuestions>(ENTRY, 'ours', { core: setting.core, folder })
  try {
    await findings.attempt('ours', 0, async () => {
      await client.ask('start', null)
      await measureTimes(client, setting, findings)
      await measureUnderLoad(client, setting, findings)
      await measureThroughput(client, setting, findings)
    })
  } finally {
    await client.close()
  }
}

async function measureTimes(client: Client, setting: Setting, findings: Findings): Promise<void> {
  const reloads = setting.isQuick ? QUICK_RELOADS : RELOADS
  setting.tell(`reload: ${reloads} cold starts, reloads by call, reloads by a saved file, in turn`)
  for (let round = 1; round <= reloads; round += 1) {
    const { readyMs } = await client.ask('coldStart', null)
    findings.add('cold-start', 'reload_call_ms', round, readyMs)
    findings.add('cold-start', 'reload_file_ms', round, readyMs)
    findings.add('ours', 'reload_call_ms', round, (await client.ask('reloadByCall', null)).servingMs)
    findings.add('ours', 'reload_file_ms', round, (await client.ask('reloadByFile', null)).servingMs)
  }
}

async function measureUnderLoad(client: Client, setting: Setting, findings: Findings): Promise<void> {
  const params = setting.isQuick ? QUICK_LOAD : LOAD
  setting.tell(
    `reload: ${params.calls} calls across ${params.reloads} reloads, ${params.brokenSaves} broken saves`,
  )
  const answer = await client.ask('callsUnderReloads', params)
  findings.add('ours', 'reload_calls_count', 1, answer.calls)
  findings.add('ours', 'reload_lost_count', 1, answer.lost)
  findings.add('ours', 'reload_doubled_count', 1, answer.doubled)
  answer.reloadsMs.forEach((ms, at) => findings.add('ours', 'reload_loaded_ms', at + 1, ms))
  if (answer.firstFailure !== null) setting.tell(`reload: the first lost call got: ${answer.firstFailure}`)
}

async function measureThroughput(client: Client, setting: Setting, findings: Findings): Promise<void> {
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  for (const [measurement, reloads] of [
    ['throughput_steady_per_s', false],
    ['throughput_reloading_per_s', true],
  ] as const) {
    const { perSecond } = await client.ask('throughput', { slot, inFlight: IN_FLIGHT, reloads })
    findings.add('ours', measurement, 1, perSecond)
  }
}
