/** A pinned process: a client of a healthy plugin beside one that goes off like a bomb, again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginSystemApi } from '@phantom-ml/core'
import { measureLatency } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import { peakBytes, residentBytes } from '../harness/process-memory.ts'
import type { BombQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { openSystem } from './open-system.ts'

/** As the plugin's manifest says. */
const LIMIT_BYTES = 64 * 1024 * 1024
const LIMIT_MS = 400
const CONFIG = `restart: { backoff_initial_ms: 1, backoff_max_ms: 5, host_intensity: 10000 }
breaker: { min_calls: 100000 }
execution: { cancel_grace_ms: 50 }
`

let system: PluginSystemApi
const { value } = recordsPayload(100)

serveQuestions<BombQuestions>({
  start: async () => {
    system = await openSystem(process.cwd(), { plugins: { echo: 'echo', bomb: 'bomb' }, config: CONFIG })
    await callHealthy()
    const { tier } = await system.get_status()
    return { tier }
  },
  bomb: async ({ kind, slot }) => {
    const state = { isOpen: true, overBytes: -Infinity, overMs: -Infinity, count: 0 }
    const going = goOff(kind, state)
    const latency = await measureLatency(callHealthy, slot)
    state.isOpen = false
    await going
    return { ...latency, overBytes: state.overBytes, overMs: state.overMs, count: state.count }
  },
  close: async () => {
    await system.shutdown()
    return null
  },
})

async function callHealthy(): Promise<void> {
  const { success, error } = await system.execute_plugin('echo', 'echo', value)
  if (!success) throw new Error(`Cannot run "echo": ${error}`)
}

interface BombState {
  isOpen: boolean
  overBytes: number
  overMs: number
  count: number
}

async function goOff(kind: string, state: BombState): Promise<void> {
  while (state.isOpen || state.count === 0) {
    const pid = (await system.execute_plugin<number>('bomb', 'ready')).result ?? 0
    // Inside its namespace it has another number.
    const host = (await system.get_plugin_info('bomb')).instances[0]?.pid ?? pid
    const idleBytes = residentBytes(host)
    const peak = watchPeak(host, idleBytes)
    const startedMs = performance.now()
    const isKilled = await system.execute_plugin('bomb', kind).then(
      () => false,
      (error: unknown) => (isPhantomError(error) ? true : Promise.reject(error)),
    )
    if (isKilled) state.overMs = Math.max(state.overMs, performance.now() - startedMs - LIMIT_MS)
    state.overBytes = Math.max(state.overBytes, peak.end() - idleBytes - LIMIT_BYTES)
    state.count += 1
  }
}

/** The kernel's high-water mark, so that nothing between two looks is missed. */
function watchPeak(pid: number, idleBytes: number): { end: () => number } {
  const state = { isOpen: true, peak: idleBytes }
  const look = async (): Promise<void> => {
    while (state.isOpen) {
      try {
        state.peak = Math.max(state.peak, peakBytes(pid))
      } catch {
        // It is gone; what was seen last stands.
        return
      }
      await sleep(2)
    }
  }
  void look()
  return {
    end: () => {
      state.isOpen = false
      return state.peak
    },
  }
}
