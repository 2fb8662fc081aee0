import { pauseAfter } from './pace.ts'
import { ProcessSampler } from './process-sampler.ts'
import { walkBelow } from './process-tree.ts'

export interface CpuReading {
  /** In ticks of the kernel (10 ms). */
  readonly usedMs: number
  /** So much it had used at this moment, or a little later. */
  readonly atMs: number
}

/** What a plugin's processes have used of the processor since their start, by the kernel's count. */
export interface CpuMeter {
  /** Null where it cannot be read: the process is gone. What is dear to find out may be of a while ago. */
  read(nowMs: number): CpuReading | null
}

/** All threads of one process: enough where it may start no other. */
export function meterProcess(sampler: ProcessSampler): CpuMeter {
  return {
    read: (nowMs) => {
      const { atMs, cpuTimeMs } = sampler.refresh(nowMs)
      return atMs === -Infinity ? null : { usedMs: cpuTimeMs, atMs: nowMs }
    },
  }
}

/** Each takes some 25 µs. */
const PROCESSES_AT_ONCE = 128

/**
 * A process and all below it, those that ended included: a parent that waits for a child inherits its time. One that
 * ignores its children (SIGCHLD) loses theirs with them, so the most that was ever seen stands.
 *
 * A plugin has as many processes as it likes, up to its limit. However often it is asked, a tenth of the daemon's time
 * is spent on them at most, and some milliseconds in one turn of its loop: a limit that a
 * thousand processes break together is found up to a second later.
 */
export class TreeMeter implements CpuMeter {
  readonly #root: number
  #reading: CpuReading = { usedMs: 0, atMs: -Infinity }
  #walk: Walk | null = null
  #restsUntilMs = -Infinity

  constructor(root: number) {
    this.#root = root
  }

  read(nowMs: number): CpuReading {
    if (nowMs >= this.#restsUntilMs) this.#goOn(nowMs)
    return this.#reading
  }

  #goOn(nowMs: number): void {
    const startMs = performance.now()
    this.#walk ??= { pids: walkBelow(this.#root), startedAtMs: nowMs, sumMs: 0 }
    if (isAtItsEnd(this.#walk, nowMs)) {
      const { startedAtMs, sumMs } = this.#walk
      this.#reading = { usedMs: Math.max(this.#reading.usedMs, sumMs), atMs: startedAtMs }
      this.#walk = null
    }
    this.#restsUntilMs = nowMs + pauseAfter(startMs, performance.now())
  }
}

interface Walk {
  readonly pids: Iterator<number, void>
  readonly startedAtMs: number
  sumMs: number
}

/** Adds the next ones up. */
function isAtItsEnd(walk: Walk, nowMs: number): boolean {
  for (let count = 0; count < PROCESSES_AT_ONCE; count += 1) {
    const { value: pid, done } = walk.pids.next()
    if (done === true || pid === undefined) return true
    const sampler = new ProcessSampler(pid)
    walk.sumMs += sampler.refresh(nowMs).familyCpuTimeMs
    sampler.close()
  }
  return false
}
