import pidusage from 'pidusage'
import type { LookClock } from '../monitor/look-clock.ts'
import type { ProcessSample, ProcessSampler } from '../monitor/process-sampler.ts'

/**
 * How often processes that have calls are looked at, and the others: there may be hundreds. A look costs the daemon
 * 10 µs a process by a descriptor that stays open, 28 µs by pidusage.
 */
const BUSY_MS = 250
const IDLE_MS = 2_000
/** pidusage keeps the file of a process open so long after the last look, also of one that has ended; a minute by default. */
const KEPT_OPEN_MS = 10_000
/** A sampler shares its samples for a moment. */
const STALE_MS = 20

export interface WatchedProcess {
  readonly pid: number
  /** Has calls in flight, or starts. */
  readonly isBusy: boolean
  /** Reads the kernel's own file by a kept descriptor; null where that is not to be had: then pidusage finds a way. */
  readonly sampler: Pick<ProcessSampler, 'sample'> | null
}

/** What a process held and had used when it was looked at last. */
export interface ResourceSample {
  /** On the monotonic clock. */
  readonly atMs: number
  readonly memoryBytes: number
  /** Of all its threads, since its start. Grain: 10 ms. */
  readonly cpuTimeMs: number
  /** Of one core, since the look before; null at the first one. */
  readonly cpuShare: number | null
}

export interface ResourceMonitorOptions {
  readonly clock: LookClock
  readonly watched: () => readonly WatchedProcess[]
  /** After each look, with the processes that were looked at. Limits are enforced from here. Must not throw. */
  readonly onSamples?: (fresh: ReadonlyMap<number, ResourceSample>, nowMs: number) => void
  readonly busyMs?: number
  readonly idleMs?: number
}

/** Looks at all running processes in turns, and keeps each one's last sample. */
export class ResourceMonitor {
  readonly #options: ResourceMonitorOptions
  readonly #samples = new Map<number, ResourceSample>()
  readonly #stopLooking: (() => void)[]
  #isIdleDue = false
  /** pidusage has not answered yet: there is no second look before. */
  #isLooking = false
  #isClosed = false

  constructor(options: ResourceMonitorOptions) {
    const { clock, busyMs = BUSY_MS, idleMs = IDLE_MS } = options
    this.#options = options
    this.#stopLooking = [
      clock.every(idleMs, () => (this.#isIdleDue = true)),
      clock.every(busyMs, (nowMs) => this.#look(nowMs)),
    ]
  }

  /** Null for a process that was not looked at yet, or is no longer watched. */
  sampleOf(pid: number): ResourceSample | null {
    return this.#samples.get(pid) ?? null
  }

  close(): void {
    this.#isClosed = true
    for (const stop of this.#stopLooking) stop()
    this.#samples.clear()
    // Or its own timer and the history of our processes stay.
    pidusage.clear()
  }

  #look(nowMs: number): void {
    if (this.#isLooking) return
    const watched = this.#options.watched()
    if (this.#samples.size > watched.length) this.#forgetOthers(watched)
    const due = watched.filter(({ pid, isBusy }) => this.#isIdleDue || isBusy || !this.#samples.has(pid))
    this.#isIdleDue = false
    if (due.length === 0) return
    if (due.every(({ sampler }) => sampler !== null)) this.#take(due, {}, nowMs)
    else void this.#lookByPidusage(due)
  }

  async #lookByPidusage(due: readonly WatchedProcess[]): Promise<void> {
    this.#isLooking = true
    const usage = await usageOf(due.flatMap(({ pid, sampler }) => (sampler === null ? pid : [])))
    this.#isLooking = false
    if (!this.#isClosed) this.#take(due, usage, performance.now())
  }

  #take(
    due: readonly WatchedProcess[],
    usage: Record<number, Usage | null | undefined>,
    nowMs: number,
  ): void {
    const fresh = new Map<number, ResourceSample>()
    for (const { pid, sampler } of due) {
      const found = sampler === null ? usage[pid] : usageIn(sampler.sample(nowMs), nowMs)
      // A process that is dead and not reaped yet holds nothing any more: what it held last stands.
      if (found == null || found.memory === 0) continue
      const sample = toSample(nowMs, found, this.#samples.get(pid) ?? null)
      fresh.set(pid, sample)
      this.#samples.set(pid, sample)
    }
    this.#options.onSamples?.(fresh, nowMs)
  }

  #forgetOthers(watched: readonly WatchedProcess[]): void {
    const pids = new Set(watched.map(({ pid }) => pid))
    for (const pid of this.#samples.keys()) if (!pids.has(pid)) this.#samples.delete(pid)
  }
}

interface Usage {
  readonly memory: number
  readonly ctime: number
}

/** In pidusage's words; null where the process has gone, whose last sample its sampler goes on to give. */
function usageIn({ atMs, rssBytes, cpuTimeMs }: ProcessSample, nowMs: number): Usage | null {
  return nowMs - atMs > STALE_MS ? null : { memory: rssBytes, ctime: cpuTimeMs }
}

/** pidusage answers null for a process that has gone, and throws where every one has. */
async function usageOf(pids: number[]): Promise<Record<number, Usage | null | undefined>> {
  try {
    return await pidusage(pids, { maxage: KEPT_OPEN_MS })
  } catch {
    // All of them ended between the list and the look: the next look is soon.
    return {}
  }
}

/** pidusage's own `cpu` is taken from /proc/uptime in steps of 10 ms, and means the whole life at the first look. */
function toSample(nowMs: number, { memory, ctime }: Usage, before: ResourceSample | null): ResourceSample {
  const cpuShare = before === null ? null : Math.max(0, (ctime - before.cpuTimeMs) / (nowMs - before.atMs))
  return { atMs: nowMs, memoryBytes: memory, cpuTimeMs: ctime, cpuShare }
}
