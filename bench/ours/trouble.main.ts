/** A pinned process: a client of a healthy plugin, beside others that are wedged or flooded by clients of their own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginSystemApi } from '@phantom-ml/core'
import { sampleLatency } from '../harness/measure.ts'
import { niceOf } from '../harness/nice.ts'
import { recordsPayload } from '../harness/payload.ts'
import type { TroubleQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { copiesOf } from './install-plugins.ts'
import { openSystem, pluginDirectory } from './open-system.ts'

const FLOOD_ENTRY = new URL('flood.main.ts', import.meta.url).pathname

let system: PluginSystemApi
const floods: ChildProcess[] = []
/** The plugins' processes, and the clients that flood. */
let busy: readonly number[] = []

serveQuestions<TroubleQuestions>({
  start: async ({ wedged, flooding, settleMs }) => {
    const wedgedIds = copiesOf('spin', wedged)
    const floodedIds = copiesOf('echo', flooding)
    const plugins = { echo: 'echo', ...wedgedIds, ...floodedIds }
    system = await openSystem(process.cwd(), { plugins })
    for (const id of Object.keys(wedgedIds)) {
      // Starts one after the other; the call itself ends with the system.
      system.execute_plugin(id, 'spin').catch(() => undefined)
      await untilItRuns(id)
    }
    await Promise.all(Object.keys(floodedIds).map(startFlood))
    await callHealthy()
    await sleep(settleMs)
    const runners = await Promise.all(Object.keys({ ...wedgedIds, ...floodedIds }).map(untilItRuns))
    // Who floods wants the core as well.
    busy = [...runners, ...floods.flatMap(({ pid }) => pid ?? [])]
    const niceValues = busy.map(niceOf)
    await sampleLatency(callHealthy, { warmUpMs: 0, measureMs: settleMs / 4, minCalls: 1 })
    signalBusy('SIGSTOP')
    return { niceValues }
  },
  turn: async ({ slot }) => {
    signalBusy('SIGCONT')
    const before = await answeredByFloods()
    const startMs = performance.now()
    const timesUs = await sampleLatency(callHealthy, slot)
    const answered = (await answeredByFloods()) - before
    const floodPerSecond = (answered / (performance.now() - startMs)) * 1000
    signalBusy('SIGSTOP')
    return { timesUs, floodPerSecond }
  },
  close: async () => {
    for (const flood of floods) flood.kill('SIGKILL')
    await system.shutdown()
    return null
  },
})

const { value } = recordsPayload(100)

// Also when the bench is interrupted: who is stopped does not see that the others are gone.
process.once('exit', () => {
  for (const flood of floods) flood.kill('SIGKILL')
})

function signalBusy(signal: NodeJS.Signals): void {
  for (const pid of busy) process.kill(pid, signal)
}

async function callHealthy(): Promise<void> {
  const { success, error } = await system.execute_plugin('echo', 'echo', value)
  if (!success) throw new Error(`Cannot run "echo": ${error}`)
}

/** The pid of its process. */
async function untilItRuns(id: string): Promise<number> {
  for (;;) {
    const { instances } = await system.get_plugin_info(id)
    const pid = instances.find(({ state }) => state === 'ready')?.pid
    if (pid != null) return pid
    await sleep(10)
  }
}

async function startFlood(id: string): Promise<void> {
  const args = [FLOOD_ENTRY, pluginDirectory(process.cwd()), id]
  // In a session of its own, as another application would be; it ends when its channel does.
  const flood = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  floods.push(flood)
  const [message] = await once(flood, 'message')
  if (message !== 'flooding') throw new Error(`Cannot flood "${id}": ${String(message)}`)
}

/** So far, all together. */
async function answeredByFloods(): Promise<number> {
  const counts = await Promise.all(
    floods.map(async (flood) => {
      flood.send('count')
      const [count] = await once(flood, 'message')
      return count as number
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}
