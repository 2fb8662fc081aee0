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
 * used up: a call that waits costs a look now and then, one that computes is found within a tick. Where the meter is
 * slow, what was used between the start and its first figure after it is not counted.
 */
export class CpuBudget implements WheelEntry {
  deadlineMs = 0
  wheelNext: WheelEntry | null = null
  wheelPrevious: WheelEntry | null = null
  wheelSlot = -1
  readonly #options: CpuBudgetOptions
  readonly #cores: number
  readonly #startedAtMs: number
  /** Null until the meter knows of a moment that is not before the start. */
  #usedBeforeMs: number | null = null

  constructor(options: CpuBudgetOptions) {
    this.#options = options
    this.#cores = options.cores ?? availableParallelism()
    this.#startedAtMs = options.nowMs
    this.#look(options.nowMs)
  }

  /** Called by the timing wheel. */
  expire(): void {
    const usedMs = this.#look(performance.now())
    if (usedMs > this.#options.limitMs) this.#options.onSpent(usedMs)
    else this.#options.again(this)
  }

  /** What the call has used, as far as it is known; and says when to look again. */
  #look(nowMs: number): number {
    const { meter, limitMs } = this.#options
    // Null: the process is gone, and its exit answers the call.
    const { usedMs, atMs } = meter.read(nowMs) ?? { usedMs: this.#usedBeforeMs ?? 0, atMs: nowMs }
    const isOfBefore = atMs < this.#startedAtMs
    if (!isOfBefore) this.#usedBeforeMs ??= usedMs
    const ownMs = isOfBefore ? 0 : usedMs - this.#usedBeforeMs!
    const spentAtMs = isOfBefore ? nowMs : atMs + (limitMs - ownMs) / this.#cores
    this.deadlineMs = Math.max(nowMs + SHORTEST_LOOK_MS, spentAtMs)
    return ownMs
  }
}
