import pidusage from 'pidusage'
import type { ProcessSample, ProcessSampler } from '../monitor/process-sampler.ts'

/**
 * A look costs the daemon 10 µs a process by a descriptor that stays open, 28 µs by pidusage. Idle processes are
 * therefore looked at every so many looks only.
 */
const INTERVAL_MS = 250
const LOOKS_PER_IDLE_LOOK = 8
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
  readonly watched: () => readonly WatchedProcess[]
  /** After each look, with the processes that were looked at. Limits are enforced from here. Must not throw. */
  readonly onSamples?: (fresh: ReadonlyMap<number, ResourceSample>) => void
  readonly intervalMs?: number
  readonly looksPerIdleLook?: number
}

/** Looks at all running processes in turns, and keeps each one's last sample. */
export class ResourceMonitor {
  readonly #options: ResourceMonitorOptions
  readonly #intervalMs: number
  readonly #looksPerIdleLook: number
  #samples = new Map<number, ResourceSample>()
  #looks = 0
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: ResourceMonitorOptions) {
    this.#options = options
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS
    this.#looksPerIdleLook = options.looksPerIdleLook ?? LOOKS_PER_IDLE_LOOK
  }

  start(): void {
    if (this.#isClosed) return
    // The next look is armed when the one before is over, so that a slow machine gets no second one at once.
    this.#timer = setTimeout(() => void this.#look().finally(() => this.start()), this.#intervalMs)
    this.#timer.unref()
  }

  /** Null for a process that was not looked at yet, or is no longer watched. */
  sampleOf(pid: number): ResourceSample | null {
    return this.#samples.get(pid) ?? null
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#samples.clear()
    // Or its own timer and the history of our processes stay.
    pidusage.clear()
  }

  async #look(): Promise<void> {
    const watched = this.#options.watched()
    this.#forgetOthers(watched)
    const isIdleLook = this.#looks % this.#looksPerIdleLook === 0
    this.#looks += 1
    const due = watched.filter(({ pid, isBusy }) => isIdleLook || isBusy || !this.#samples.has(pid))
    if (due.length === 0) return
    const others = due.flatMap(({ pid, sampler }) => (sampler === null ? pid : []))
    const usage = others.length === 0 ? {} : await usageOf(others)
    if (this.#isClosed) return
    const nowMs = performance.now()
    const fresh = new Map<number, ResourceSample>()
    for (const { pid, sampler } of due) {
      const found = sampler === null ? usage[pid] : usageIn(sampler.sample(nowMs), nowMs)
      // A process that is dead and not reaped yet holds nothing any more: what it held last stands.
      if (found == null || found.memory === 0) continue
      const before = this.#samples.get(pid) ?? null
      fresh.set(pid, toSample(nowMs, found, before))
    }
    for (const [pid, sample] of fresh) this.#samples.set(pid, sample)
    this.#options.onSamples?.(fresh)
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
