import { statfsSync } from 'node:fs'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { WatchedProcess } from '../metrics/resource-monitor.ts'
import type { RunnerFigures } from '../process/runner-figures.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import { temporaryMb } from '../sandbox/temporary-size.ts'
import type { LookClock } from './look-clock.ts'
import { pauseAfter } from './pace.ts'

const MEGABYTE = 1024 * 1024
/** A limit of the kernel's acts at once; behind it the backstop leaves room for what an allocator keeps in hand. */
const TOLERANCE_BYTES = 16 * MEGABYTE
/** An inode and an entry of a folder: what the kernel's slabs grow by, measured over 100,000 empty files. */
const NAME_BYTES = 1043
/** One read of a few microseconds for each process that has calls, */
const SAMPLE_MS = 50
/** and fewer of one that only waits: who uses no processor takes no memory. A little longer than the monitor's pause. */
const REST_MS = 300
/**
 * Of one that may have threads: RLIMIT_DATA leaves room for the addresses that threads reserve, which the plugin's own
 * process keeps from it, so what is held is judged here as well. Two threads fill some 10 MiB in five milliseconds.
 */
const THREADED_MS = 5
/** Once one has half of what it may have. */
const NEAR_MS = 1

export interface MemoryGuardOptions {
  readonly clock: LookClock
  readonly lanes: () => Iterable<InstanceLane>
  /** At every look, whoever has calls and used the processor since the one before. */
  readonly onActive: (active: readonly RunnerInstance[], nowMs: number) => void
}

/**
 * The backstop behind RLIMIT_DATA: it sees memory that is held, so also what that limit does not count (shared memory,
 * and what several processes of one plugin hold together). It overshoots (it polls), which is why it is not the limit.
 */
export class MemoryGuard {
  readonly #lanes: () => Iterable<InstanceLane>
  readonly #onActive: MemoryGuardOptions['onActive']
  readonly #stopLooking: () => void
  #threadedTimer: NodeJS.Timeout | null = null
  #pausesUntilMs = -Infinity
  /** When they were looked at last. */
  readonly #cpuTimes = new WeakMap<RunnerFigures, number>()

  constructor({ clock, lanes, onActive }: MemoryGuardOptions) {
    this.#lanes = lanes
    this.#onActive = onActive
    this.#stopLooking = clock.every(SAMPLE_MS, (nowMs) => this.#lookAtBusy(nowMs))
  }

  close(): void {
    this.#stopLooking()
    this.#watchThreaded(false)
  }

  /** Every process of every plugin. */
  watched(): WatchedProcess[] {
    const watched: WatchedProcess[] = []
    for (const lane of this.#lanes()) {
      for (const { pid, figures, state, inFlightCount } of lane.instances()) {
        if (pid === null) continue
        watched.push({ pid, isBusy: inFlightCount > 0 || state === 'starting', sampler: figures.sampler })
      }
    }
    return watched
  }

  /** After each look of the monitor: those that it looked at and that have no calls. */
  judge(samples: ReadonlyMap<number, unknown>, nowMs: number): void {
    for (const lane of this.#lanes()) {
      for (const instance of lane.instances()) {
        if (instance.inFlightCount > 0 || instance.pid === null) continue
        if (samples.has(instance.pid)) judge(instance, nowMs)
      }
    }
  }

  /** A process that dies of its memory should have been seen near its end: its error says what it held. */
  #lookAtBusy(nowMs: number): void {
    const startMs = performance.now()
    if (startMs < this.#pausesUntilMs) return
    let hasThreaded = false
    const active: RunnerInstance[] = []
    // No list of them all, twenty times a second: most of hundreds have nothing to do.
    for (const lane of this.#lanes()) {
      for (const instance of lane.instances()) {
        if (instance.isThreaded) hasThreaded = true
        if (instance.inFlightCount === 0) continue
        if (this.#rests(instance, nowMs)) continue
        judge(instance, nowMs)
        active.push(instance)
      }
    }
    this.#onActive(active, nowMs)
    this.#watchThreaded(hasThreaded)
    const endMs = performance.now()
    this.#pausesUntilMs = endMs + pauseAfter(startMs, endMs)
  }

  #watchThreaded(hasThreaded: boolean): void {
    if (hasThreaded === (this.#threadedTimer !== null)) return
    if (this.#threadedTimer !== null) clearTimeout(this.#threadedTimer)
    this.#threadedTimer = null
    if (hasThreaded) this.#lookAtThreadedIn(THREADED_MS)
  }

  #lookAtThreadedIn(delayMs: number): void {
    this.#threadedTimer = setTimeout(() => {
      const startMs = performance.now()
      const pauseMs = this.#lookAtThreaded() ? NEAR_MS : THREADED_MS
      this.#lookAtThreadedIn(Math.max(pauseMs, pauseAfter(startMs, performance.now())))
    }, delayMs).unref()
  }

  /** Between two calls as well, where it computes: its threads need no call to go on. True where one is near its limit. */
  #lookAtThreaded(): boolean {
    const nowMs = performance.now()
    let isNear = false
    for (const lane of this.#lanes()) {
      for (const instance of lane.instances()) {
        if (!instance.isThreaded) continue
        if (instance.inFlightCount === 0 && this.#rests(instance, nowMs)) continue
        if (judgeThreaded(instance, nowMs)) isNear = true
      }
    }
    return isNear
  }

  /**
   * Whether it has used no processor since it was looked at last, in ticks of the kernel. Of one that rests the
   * monitor's last look says so, too.
   */
  #rests({ figures }: RunnerInstance, nowMs: number): boolean {
    const { hasFamily, sampler } = figures
    if (hasFamily || sampler === null) return false
    const before = this.#cpuTimes.get(figures)
    if (before === sampler.last.cpuTimeMs && nowMs - sampler.last.atMs < REST_MS) return true
    const { cpuTimeMs } = sampler.sample(nowMs)
    this.#cpuTimes.set(figures, cpuTimeMs)
    return cpuTimeMs === before
  }
}

/** Whether it goes on and holds half of what it may hold, or more. */
function judgeThreaded(instance: RunnerInstance, nowMs: number): boolean {
  const { figures, state, generation } = instance
  if (state !== 'ready' || figures.sampler === null) return false
  const { rssBytes } = figures.sampler.refresh(nowMs)
  const { limits } = generation
  const maxBytes = limits.maxMemoryMb * MEGABYTE
  const mostTemporaryBytes = temporaryMb(limits) * MEGABYTE
  const mostBytes = rssBytes - figures.idleRssBytes + mostTemporaryBytes
  if (!figures.hasFamily && mostBytes <= maxBytes) return mostBytes > maxBytes / 2
  const { bytes, names } = temporaryFiles(instance)
  const isOver = figures.heldBytes() + bytes + names * NAME_BYTES > maxBytes
  if (isOver) void instance.end('memory_limit')
  return !isOver
}

/** Resident memory, which every sample has, is more than what is held: only where that is too much it is asked exactly. */
function judge(instance: RunnerInstance, nowMs: number): void {
  const { figures, state } = instance
  const sample = figures.sampler?.sample(nowMs)
  if (sample === undefined || state !== 'ready') return
  const maxBytes = instance.generation.limits.maxMemoryMb * MEGABYTE + TOLERANCE_BYTES
  // Their content is taken from RLIMIT_DATA; their names are the kernel's memory, which no limit counts.
  const namesBytes = temporaryFiles(instance).names * NAME_BYTES
  if (!figures.hasFamily && sample.rssBytes - figures.idleRssBytes + namesBytes <= maxBytes) return
  if (figures.heldBytes() + namesBytes > maxBytes) void instance.end('memory_limit')
}

/** What lies in the private /tmp; bubblewrap sets no limit on the number of names. */
function temporaryFiles({ pid, spec }: RunnerInstance): { bytes: number; names: number } {
  if (pid === null || spec.plan.tier !== 'namespace') return { bytes: 0, names: 0 }
  try {
    const { files, ffree, blocks, bfree, bsize } = statfsSync(`/proc/${pid}/root/tmp`)
    return { bytes: (blocks - bfree) * bsize, names: files - ffree }
  } catch {
    // ENOENT: the process is gone. EACCES: a root daemon without CAP_SYS_PTRACE, which may not look there.
    return { bytes: 0, names: 0 }
  }
}
