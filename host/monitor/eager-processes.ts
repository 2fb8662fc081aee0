import { readFileSync } from 'node:fs'
import type { InstanceCgroup } from '../cgroup/instance-cgroup.ts'
import type { InstanceState } from '../../src/contract/life.ts'
import { CoreDemand } from './core-demand.ts'
import { setSessionNice } from './set-nice.ts'

/** One that may be eager: a `RunnerInstance`. */
export interface EagerProcess {
  readonly pid: number | null
  readonly state: InstanceState
  readonly spec: { readonly cgroup: Pick<InstanceCgroup, 'setNice'> | null }
}

export interface EagerLimits {
  /** More of a core than this is eager. */
  readonly cpuShare: number
  /** What one gets that is greedy for good; 0: nobody is made nicer. */
  readonly nice: number
}

interface Watched {
  readonly demand: CoreDemand
  eagerLooks: number
  /** By when it wanted too much: how often it had paused by itself. */
  pauses: number
  isNicer: boolean
}

/** Between two looks, so two of them are 100 ms. */
const EAGER_LOOKS = 2
/** Whoever answers calls between waits for others has paused more often than that; who computes, hardly ever. */
const MAX_PAUSES = 10
/** A ninth of the weight: beside such a one every tenth of a healthy plugin's calls waited for a turn of its, now few do. */
const EAGER_NICE = 10

/**
 * Makes processes that have wanted a whole core for a tenth of a second come after those that have not, and forgives them
 * as soon as they want less. Most work on the processor is shorter; what is longer meets others' calls often, and each
 * of them waits for a turn of the kernel's, some milliseconds. Alone on its core nobody notices. Only where the kernel
 * schedules by sessions or groups, since the nice value of a process can't be taken back by everybody.
 */
export class EagerProcesses {
  readonly #watched = new Map<EagerProcess, Watched>()
  #isClosed = false

  /** At every look, all that have calls and used the processor since the one before. */
  look(active: readonly EagerProcess[], limits: EagerLimits, nowMs: number): void {
    for (const process of active) this.#watch(process)
    for (const [process, watched] of this.#watched) {
      const isActive = process.state === 'ready' && limits.nice > 0
      // The first look only begins to measure.
      const isEager = isActive && (watched.demand.share(nowMs) ?? 1) > limits.cpuShare
      watched.eagerLooks = isEager ? watched.eagerLooks + 1 : 0
      if (watched.eagerLooks === 1) watched.pauses = pausesOf(process)
      if (watched.eagerLooks > EAGER_LOOKS && !watched.isNicer) punish(process, watched, limits)
      if (!isEager && forgive(process, watched)) this.drop(process)
    }
  }

  /** It has the nice value that it keeps. */
  drop(process: EagerProcess): void {
    this.#watched.get(process)?.demand.close()
    this.#watched.delete(process)
  }

  /** No process is made nicer any more. */
  close(): void {
    this.#isClosed = true
    for (const process of this.#watched.keys()) this.drop(process)
  }

  #watch(process: EagerProcess): void {
    if (this.#isClosed || process.pid === null || this.#watched.has(process)) return
    this.#watched.set(process, {
      demand: new CoreDemand(process.pid),
      eagerLooks: 0,
      pauses: 0,
      isNicer: false,
    })
  }
}

/** Unless it only waits for others that compute: that counts as wanting, too. */
function punish(process: EagerProcess, watched: Watched, { nice }: EagerLimits): void {
  if (pausesOf(process) - watched.pauses > MAX_PAUSES) watched.eagerLooks = 0
  else watched.isNicer = setNice(process, Math.min(EAGER_NICE, nice))
}

/** How often its main thread gave its core away by itself; proc_pid_status(5). */
function pausesOf({ pid }: EagerProcess): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? Infinity)
  } catch {
    // It is gone.
    return Infinity
  }
}

/** False where it has to be tried again: without CAP_SYS_ADMIN the kernel takes ten changes a second. */
function forgive(process: EagerProcess, { isNicer }: Watched): boolean {
  return !isNicer || process.state !== 'ready' || setNice(process, 0)
}

function setNice({ pid, spec: { cgroup } }: EagerProcess, nice: number): boolean {
  if (cgroup === null) return pid !== null && setSessionNice(pid, nice)
  try {
    cgroup.setNice(nice)
    return true
  } catch {
    // It is gone with its process.
    return false
  }
}
