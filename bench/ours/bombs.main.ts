/**
 * A pinned process: a client of a healthy plugin, of a bare relay and of a bare pair, beside a plugin that goes off like a
 * bomb, called by a client of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { PluginSystemApi } from '@phantom-ml/core'
import { openBarePair, type BarePair } from '../floors/bare-pair.ts'
import { design as rawRelay } from '../floors/raw-relay.ts'
import type { RunningDesign } from '../harness/design.ts'
import { latencyOf, measureInTurn } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import { isNativeBomb, type BombEffect, type BombQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { openSystem, pluginDirectory } from './open-system.ts'

const BOMBER_ENTRY = new URL('bomber.main.ts', import.meta.url).pathname
const CONFIG = `restart: { backoff_initial_ms: 1, backoff_max_ms: 5, host_intensity: 10000 }
breaker: { min_calls: 100000 }
execution: { cancel_grace_ms: 50 }
`

let system: PluginSystemApi
let pair: BarePair
let relay: RunningDesign
let bomber: ChildProcess
const payload = recordsPayload(100)
/** As the daemon gives them, of every call so far. */
const executionTimesMs: number[] = []

serveQuestions<BombQuestions>({
  start: async ({ warmUp }) => {
    system = await openSystem(process.cwd(), {
      plugins: { echo: 'echo', bomb: 'bomb', native_bomb: 'native-bomb' },
      config: CONFIG,
    })
    await callHealthy()
    pair = await openBarePair()
    relay = await rawRelay.start(process.cwd())
    relay.lost.catch(() => undefined)
    await measureInTurn([callHealthy, callRelay, pair.pingPong], warmUp)
    bomber = await startBomber()
    const { tier } = await system.get_status()
    return { tier }
  },
  bomb: async ({ kind, slot }) => {
    if (isNativeBomb(kind)) await approveNativeBomb()
    await askBomber(kind)
    const measuring = measureInTurn([callHealthy, callRelay, pair.pingPong], slot)
    const [ours, relayed, barePair] = await Promise.race([measuring, relay.lost])
    const effect = await askBomber(null)
    const plugin = latencyOf(Float64Array.from(executionTimesMs.slice(-ours!.calls)))
    executionTimesMs.length = 0
    return { ours: ours!, plugin, relayed: relayed!, barePair: barePair!, effect: effect as BombEffect }
  },
  close: async () => {
    await relay.close()
    for (const child of [bomber, pair.process]) child.kill('SIGKILL')
    await system.shutdown()
    return null
  },
})

async function callHealthy(): Promise<void> {
  const { success, error, execution_time_ms } = await system.execute_plugin('echo', 'echo', payload.value)
  if (!success) throw new Error(`Cannot run "echo": ${error}`)
  executionTimesMs.push(execution_time_ms)
}

const callRelay = (): Promise<unknown> => relay.call(payload)

/** It makes processes. */
async function approveNativeBomb(): Promise<void> {
  const { digest } = await system.get_permissions('native_bomb')
  await system.approve_plugin('native_bomb', digest)
}

/** In a session of its own, as another application would be; it ends when its channel does. */
async function startBomber(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [BOMBER_ENTRY, pluginDirectory(process.cwd())], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await once(child, 'message')
  return child
}

async function askBomber(message: string | null): Promise<unknown> {
  bomber.send(message as string)
  const [answer] = await once(bomber, 'message')
  return answer
}
