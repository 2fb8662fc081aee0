/** A pinned process: a client that kills a plugin's process and waits for the standby's answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginSystemApi } from '@phantom-ml/core'
import { assertIsNode } from '../harness/process-memory.ts'
import type { TakeOverQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { openSystem } from './open-system.ts'

const ID = 'standby'
const LOOK_MS = 5
const GIVE_UP_MS = 10_000
/** What holds a plugin back that dies again and again is no part of a take-over. */
const CONFIG = 'restart: { host_intensity: 10000 }\nbreaker: { min_calls: 100000 }\n'

let system: PluginSystemApi

serveQuestions<TakeOverQuestions>({
  start: async () => {
    system = await openSystem(process.cwd(), { plugins: { [ID]: ID }, config: CONFIG })
    await echo()
    return null
  },
  takeOver: async () => ({ nextMs: await nextCall(), ...(await waitingCall()) }),
  close: async () => {
    await system.shutdown()
    return null
  },
})

/** A call that is made when the client has heard of the death: until its answer. */
async function nextCall(): Promise<number> {
  const { pid, death } = await readyToDie()
  process.kill(pid, 'SIGKILL')
  await death
  const startMs = performance.now()
  await echo()
  return performance.now() - startMs
}

/** A call that is made right after the kill: until its answer, from when the client hears of the death. */
async function waitingCall(): Promise<{ waitingMs: number; noticingMs: number }> {
  const { pid, death } = await readyToDie()
  const killedMs = performance.now()
  process.kill(pid, 'SIGKILL')
  const answer = echo().then(() => performance.now())
  const noticedMs = await death
  return { waitingMs: (await answer) - noticedMs, noticingMs: noticedMs - killedMs }
}

/** `death` settles, with the time, when a call that the process never answers was rejected: the host knows then. */
async function readyToDie(): Promise<{ pid: number; death: Promise<number> }> {
  // The first restart comes at once, each further one after a pause.
  await system.reset_plugin(ID)
  const pid = await activeBesideStandby()
  assertIsNode(pid)
  const death = system.execute_plugin(ID, 'hang').then(
    () => Promise.reject(new Error('Cannot measure a take-over: the call that hangs was answered')),
    () => performance.now(),
  )
  // It is answered behind the one that hangs, so that one is in the process by then.
  await echo()
  return { pid, death }
}

async function activeBesideStandby(): Promise<number> {
  const giveUpAtMs = performance.now() + GIVE_UP_MS
  for (;;) {
    const { instances } = await system.get_plugin_info(ID)
    const active = instances.find(({ role, state }) => role === 'active' && state === 'ready')
    // A standby has a pid here when its code is loaded.
    const standby = instances.find(({ role, pid }) => role === 'standby' && pid !== null)
    if (active?.pid != null && standby !== undefined) return active.pid
    if (performance.now() > giveUpAtMs) throw new Error('Cannot measure a take-over: no standby comes')
    await sleep(LOOK_MS)
  }
}

async function echo(): Promise<void> {
  const { success, error } = await system.execute_plugin(ID, 'echo', 'x')
  if (!success) throw new Error(`Cannot run "echo": ${error}`)
}
