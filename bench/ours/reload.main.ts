/** A pinned process: a client that saves a plugin's file and sees when the new version serves. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginSystemApi } from '@phantom-ml/core'
import { measureThroughput } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import type { ReloadQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { callsUnderReloads } from './calls-under-reloads.ts'
import { coldStart } from './cold-start.ts'
import { openSystem } from './open-system.ts'
import { VersionedPlugin } from './versioned-plugin.ts'

const DEBOUNCE_MS = 50
/** The end of the old process and the watcher's look at what was reloaded already do not touch the next measurement. */
const SETTLE_MS = 3 * DEBOUNCE_MS

let system: PluginSystemApi
let plugin: VersionedPlugin

serveQuestions<ReloadQuestions>({
  start: async () => {
    const plugins = { echo: 'echo', versioned: 'versioned' }
    const config = `reload: { watch: true, debounce_ms: ${DEBOUNCE_MS}, probation_ms: 0 }\n`
    system = await openSystem(process.cwd(), { plugins, config })
    plugin = new VersionedPlugin(system, process.cwd())
    await plugin.serving()
    await plugin.follow()
    return null
  },
  coldStart: async () => {
    const { readyMs } = await coldStart(system, process.cwd())
    return { readyMs }
  },
  reloadByCall: async () => await settled(plugin.saveAndReload()),
  reloadByFile: async () => ({ servingMs: (await settled(plugin.saveAndWait())).servingMs - DEBOUNCE_MS }),
  callsUnderReloads: async (params) =>
    await callsUnderReloads(plugin, (await system.get_status()).socket, params),
  throughput: async ({ slot, inFlight, reloads }) => {
    const { value } = recordsPayload(100)
    const over = new AbortController()
    const reloading = reloads ? reloadUntil(over.signal) : null
    const measured = await measureThroughput(() => plugin.echo(value), slot, { inFlight, cpuMs: () => 0 })
    over.abort()
    await reloading
    return { perSecond: measured.perSecond }
  },
  close: async () => {
    plugin.leave()
    await system.shutdown()
    return null
  },
})

async function reloadUntil(over: AbortSignal): Promise<void> {
  while (!over.aborted) await plugin.saveAndReload()
}

async function settled(measuring: Promise<number>): Promise<{ servingMs: number }> {
  const servingMs = await measuring
  await sleep(SETTLE_MS)
  return { servingMs }
}
