import fs from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Arena } from './arena.ts'
import { NEIGHBOUR } from './attackers.ts'

const SAMPLE_MS = 5

export interface Watched<Value> {
  readonly value: Value
  readonly durationMs: number
  /** Most resident memory of the attacked process, above what it had when idle. */
  readonly growthBytes: number
  /** The daemon's, likewise. */
  readonly daemonGrowthBytes: number
  /** How long the neighbour's calls took meanwhile, in order of length. */
  readonly pingsMs: readonly number[]
}

/** Watches memory and the neighbour from outside while something runs. */
export async function watchNeighbours<Value>(
  arena: Arena,
  plugin: string,
  run: () => Promise<Value>,
): Promise<Watched<Value>> {
  const pid = await arena.pidOf(plugin)
  const [idle, daemonIdle] = [residentBytes(pid), residentBytes(arena.daemonPid)]
  const state = { isRunning: true, peak: idle, daemonPeak: daemonIdle }
  const sampling = sample(state, pid, arena.daemonPid)
  const pinging = ping(arena, state)
  const startedMs = performance.now()
  try {
    const value = await run()
    const durationMs = performance.now() - startedMs
    state.isRunning = false
    await sampling
    return {
      value,
      durationMs,
      growthBytes: state.peak - idle,
      daemonGrowthBytes: state.daemonPeak - daemonIdle,
      pingsMs: await pinging,
    }
  } finally {
    state.isRunning = false
    await sampling
    await pinging
  }
}

interface WatchState {
  isRunning: boolean
  peak: number
  daemonPeak: number
}

async function sample(state: WatchState, pid: number, daemonPid: number): Promise<void> {
  while (state.isRunning) {
    state.peak = Math.max(state.peak, residentBytes(pid))
    state.daemonPeak = Math.max(state.daemonPeak, residentBytes(daemonPid))
    await delay(SAMPLE_MS)
  }
}

async function ping(arena: Arena, state: WatchState): Promise<readonly number[]> {
  const times: number[] = []
  while (state.isRunning) {
    const startedMs = performance.now()
    await arena.system.execute_plugin(NEIGHBOUR, 'ping')
    times.push(performance.now() - startedMs)
    await delay(1)
  }
  return times.toSorted((one, other) => one - other)
}

/** The kernel's own high-water mark, so that nothing between two looks is missed; 0 for a process that is gone. */
function residentBytes(pid: number): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
