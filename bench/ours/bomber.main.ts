/**
 * The client of the plugin that goes off like a bomb, again and again, from one message (which bomb) to the next. argv:
 * the plugin directory.
 */
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create_plugin_system } from '@phantom-ml/core'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import { peakBytes, residentBytes } from '../harness/process-memory.ts'
import { isNativeBomb, type BombEffect } from '../harness/questions.ts'

/** As the plugin's manifest says. */
const LIMIT_BYTES = 64 * 1024 * 1024
const LIMIT_MS = 400
/** Who hoards waits 20 ms before it lets go. Looking more often would be a load by itself. */
const LOOK_MS = 10

const [, , directory = ''] = process.argv
let stop: (() => Promise<BombEffect>) | null = null

process.once('disconnect', () => process.exit())
process.on('message', (kind: string | null) => {
  if (stop === null) {
    stop = goOff(String(kind))
    process.send?.('going')
  } else {
    void stop().then((effect) => process.send?.(effect))
    stop = null
  }
})

const system = await create_plugin_system(directory, 'test')
await system.execute_plugin('bomb', 'ready')
process.send?.('ready')

function goOff(kind: string): () => Promise<BombEffect> {
  const state = { isOpen: true, overBytes: -Infinity, overMs: -Infinity, count: 0 }
  const going = explode(kind, state)
  return async () => {
    state.isOpen = false
    await going
    return { overBytes: state.overBytes, overMs: state.overMs, count: state.count }
  }
}

async function explode(kind: string, state: BombEffect & { isOpen: boolean }): Promise<void> {
  const plugin = isNativeBomb(kind) ? 'native_bomb' : 'bomb'
  let pid: number | null = null
  while (state.isOpen || state.count === 0) {
    await ready(plugin)
    // Only of one that is new: the question costs the daemon more than a call.
    pid ??= await pidOf(plugin)
    const idleBytes = residentBytes(pid)
    const peak = watchPeak(pid, idleBytes)
    const startedMs = performance.now()
    const isKilled = await system.execute_plugin(plugin, kind).then(() => false, wasKilled)
    if (isKilled) state.overMs = Math.max(state.overMs, performance.now() - startedMs - LIMIT_MS)
    if (isKilled) pid = null
    state.overBytes = Math.max(state.overBytes, peak.end() - idleBytes - LIMIT_BYTES)
    state.count += 1
  }
}

/** A plugin is not started above `max_disk_mb`: what it may keep for ever, its operator has to remove. */
async function ready(plugin: string): Promise<void> {
  await system.execute_plugin(plugin, 'ready').catch(async (error: unknown) => {
    const dataDir = isPhantomError(error) ? error.details?.['data_dir'] : undefined
    if (typeof dataDir !== 'string') throw error
    for (const name of fs.readdirSync(dataDir)) fs.rmSync(path.join(dataDir, name))
    await ready(plugin)
  })
}

function wasKilled(error: unknown): true {
  if (isPhantomError(error)) return true
  throw error
}

/** The host's number: inside its namespace it has another one. */
async function pidOf(plugin: string): Promise<number> {
  const { instances } = await system.get_plugin_info(plugin)
  const pid = instances[0]?.pid
  if (pid == null) throw new Error('Cannot watch "bomb": it has no process')
  return pid
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
      await sleep(LOOK_MS)
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
