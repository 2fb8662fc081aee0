import { availableParallelism } from 'node:os'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { ProcessSampler } from './process-sampler.ts'

/** What may be used at once after a pause is the share of so long: as with `cpu.max`, whose period it is. */
const PERIOD_MS = 100
/** The kernel counts in ticks of 10 ms: to look more often would see nothing new. */
const SHORTEST_LOOK_MS = 10
/** Of one that computes nothing, or that is stopped. */
const LONGEST_LOOK_MS = 50

export interface CpuThrottleOptions {
  readonly pid: number
  readonly sampler: Pick<ProcessSampler, 'refresh' | 'isOpen'>
  /** Of one core; null: as much as it likes. Read at each look: it may change. */
  readonly percent: () => number | null
  /** The process can't be stopped: what should hold it does not. */
  readonly onLost: (why: string) => void
  readonly cores?: number
}

/**
 * Holds a process to a share of the processor where no control group does: what used more than its share is stopped
 * (SIGSTOP, which nothing inside can refuse) until time has made up for it. What is used too much between two looks is
 * owed, so that over seconds the share is exact, however many threads compute and however late a look comes.
 */
export class CpuThrottle {
  readonly #options: CpuThrottleOptions
  readonly #cores: number
  #timer: NodeJS.Timeout | null = null
  /** Milliseconds of processor that it may use now; below zero it is stopped. */
  #creditMs = 0
  #lastCpuMs = 0
  #lastMs: number | null = null
  #isStopped = false
  #isClosed = false

  constructor(options: CpuThrottleOptions) {
    this.#options = options
    this.#cores = options.cores ?? availableParallelism()
    this.follow()
  }

  /** To be called when the limit may have changed. */
  follow(): void {
    if (!this.#isClosed) this.#look()
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const percent = this.#options.percent()
    if (percent === null || percent >= this.#cores * 100) {
      this.#lastMs = null
      if (this.#isStopped) this.#signal('SIGCONT')
      return
    }
    const usedMs = this.#count(percent / 100)
    // Its pid may be another process's from now on.
    if (!this.#options.sampler.isOpen) return this.close()
    // Again while it is stopped: somebody outside may have let it go on.
    if (this.#creditMs < 0) this.#signal('SIGSTOP')
    else if (this.#isStopped) this.#signal('SIGCONT')
    if (!this.#isClosed)
      this.#timer = setTimeout(() => this.#look(), this.#pauseMs(percent / 100, usedMs)).unref()
  }

  /** What it used since the look before. */
  #count(share: number): number {
    const nowMs = performance.now()
    const { cpuTimeMs } = this.#options.sampler.refresh(nowMs)
    const isFirst = this.#lastMs === null
    const usedMs = isFirst ? 0 : cpuTimeMs - this.#lastCpuMs
    const earnedMs = isFirst ? Infinity : (nowMs - this.#lastMs!) * share
    this.#creditMs = Math.min(PERIOD_MS * share, this.#creditMs + earnedMs - usedMs)
    this.#lastCpuMs = cpuTimeMs
    this.#lastMs = nowMs
    return usedMs
  }

  #pauseMs(share: number, usedMs: number): number {
    if (this.#creditMs < 0) return Math.min(LONGEST_LOOK_MS, Math.ceil(-this.#creditMs / share))
    if (usedMs === 0) return LONGEST_LOOK_MS
    // When, with every core at work, the rest could be used up.
    return Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, this.#creditMs / this.#cores))
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    try {
      process.kill(this.#options.pid, signal)
      this.#isStopped = signal === 'SIGSTOP'
    } catch (error) {
      this.close()
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') this.#options.onLost(messageOf(error))
    }
  }
}
