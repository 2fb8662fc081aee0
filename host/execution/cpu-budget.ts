import { availableParallelism } from 'node:os'
import type { CpuMeter } from '../monitor/cpu-meter.ts'
import type { WheelEntry } from './timing-wheel.ts'

/** The kernel counts in ticks of 10 ms: to look more often would see nothing new. */
const SHORTEST_LOOK_MS = 10

export interface CpuBudgetOptions {
  readonly meter: CpuMeter
  readonly limitMs: number
  readonly nowMs: number
  /** Called once, with what was used. */
  readonly onSpent: (usedMs: number) => void
  /** Puts the budget back on the wheel. */
  readonly again: (budget: CpuBudget) => void
  readonly cores?: number
}

/**
 * The processor time of a process over one call. It is looked at when, with every core at work, the rest could be
 * used up: a call that waits costs a look now and then, one that computes is found within a tick.
 */
export class CpuBudget implements WheelEntry {
  deadlineMs = 0
  wheelNext: WheelEntry | null = null
  wheelPrevious: WheelEntry | null = null
  wheelSlot = -1
  readonly #options: CpuBudgetOptions
  readonly #cores: number
  readonly #startMs: number

  constructor(options: CpuBudgetOptions) {
    this.#options = options
    this.#cores = options.cores ?? availableParallelism()
    this.#startMs = options.meter.readMs(options.nowMs) ?? 0
    this.#lookWhenSpent(options.nowMs, options.limitMs)
  }

  /** Called by the timing wheel. */
  expire(): void {
    const nowMs = performance.now()
    const { meter, limitMs } = this.#options
    const cpuMs = meter.readMs(nowMs)
    // Null: the process is gone, and its exit answers the call.
    const usedMs = cpuMs === null ? 0 : cpuMs - this.#startMs
    if (usedMs > limitMs) {
      this.#options.onSpent(usedMs)
      return
    }
    this.#lookWhenSpent(nowMs, limitMs - usedMs)
    this.#options.again(this)
  }

  #lookWhenSpent(nowMs: number, leftMs: number): void {
    this.deadlineMs = nowMs + Math.max(SHORTEST_LOOK_MS, leftMs / this.#cores)
  }
}
