import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

const MIB = 1024 * 1024
const MOST = 500

/** Tasks are functions of this very module, which the plugin exports as well. */
const onThreads = (tries, items, task) =>
  tries.parallel(pathToFileURL(path.join(tries.own, 'index.js')), items, { export: task })
const countThreads = () => fs.readdirSync('/proc/self/task').length

/** More threads than were declared: by itself, from inside of one, and by asking for many at once. */
export async function threadBomb(tries, { declared }) {
  await onThreads(tries, [1], 'napInThread')
  const before = countThreads()
  for (const options of [{ eval: true }, { eval: true, execArgv: [], env: {} }]) {
    await tries.at('threads by itself', () => {
      for (let made = 0; made < MOST; made += 1) new Worker('for (;;);', options)
      return `${MOST} threads`
    })
  }
  await tries.at('threads from inside of one', async () => {
    const [got] = await onThreads(tries, [MOST], 'startInThread')
    return got
  })
  await tries.control('tasks on threads', async () => {
    const naps = Array.from({ length: MOST }, () => onThreads(tries, [1, 1], 'napInThread'))
    await new Promise((resolve) => setTimeout(resolve, 30))
    // Those of Node's own pool may have come as well.
    const most = before + declared + 4
    await tries.at('more threads than declared', () => countThreads() > most && `${countThreads()} threads`)
    for (const nap of naps) nap.catch(() => {})
    return 'they run'
  })
}

export function napInThread(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms, ms))
}
export function startInThread(most) {
  try {
    for (let made = 0; made < most; made += 1) new Worker('for (;;);', { eval: true, execArgv: [], env: {} })
    return `${most} threads`
  } catch {
    return null
  }
}

/** Memory on all threads at once. */
export const memoryInThreads = (tries) => onThreads(tries, [0, 1], 'hoardInThread')
export function hoardInThread() {
  const kept = []
  for (;;) kept.push(Buffer.alloc(4 * MIB, 1))
}
/** In the addresses that threads may reserve, by who starts none. */
export function memoryBesideThreads() {
  return hoardInThread()
}
export const spinInThreads = (tries) => onThreads(tries, [0, 1], 'spinInThread')
export function spinInThread() {
  for (;;);
}
