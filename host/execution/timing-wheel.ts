/** Something with a deadline. The links belong to the wheel. */
export interface WheelEntry {
  /** On the wheel's clock, milliseconds. */
  deadlineMs: number
  wheelNext: WheelEntry | null
  wheelPrevious: WheelEntry | null
  wheelSlot: number
  expire(): void
}

const SLOTS = 512

/**
 * Hashed timing wheel (Varghese and Lauck, 1987, scheme 6): thousands of deadlines, one timer. Adding and removing
 * cost a few pointer writes; an entry expires at most one tick late and never early.
 */
export class TimingWheel {
  readonly #now: () => number
  readonly #tickMs: number
  readonly #heads: (WheelEntry | null)[] = Array.from({ length: SLOTS }, () => null)
  #count = 0
  #tick: number
  #timer: NodeJS.Timeout | null = null

  constructor(options: { now: () => number; tickMs: number }) {
    this.#now = options.now
    this.#tickMs = options.tickMs
    this.#tick = Math.floor(options.now() / options.tickMs)
  }

  get size(): number {
    return this.#count
  }

  add(entry: WheelEntry): void {
    if (this.#count === 0) this.#tick = Math.floor(this.#now() / this.#tickMs)
    const due = Math.max(Math.ceil(entry.deadlineMs / this.#tickMs), this.#tick + 1)
    const slot = due % SLOTS
    entry.wheelSlot = slot
    entry.wheelPrevious = null
    entry.wheelNext = this.#heads[slot]!
    if (entry.wheelNext !== null) entry.wheelNext.wheelPrevious = entry
    this.#heads[slot] = entry
    this.#count += 1
    this.#timer ??= setTimeout(() => this.#turn(), this.#tickMs)
  }

  /** Does nothing for an entry that is not on the wheel. */
  remove(entry: WheelEntry): void {
    if (entry.wheelSlot === -1) return
    if (entry.wheelPrevious === null) this.#heads[entry.wheelSlot] = entry.wheelNext
    else entry.wheelPrevious.wheelNext = entry.wheelNext
    if (entry.wheelNext !== null) entry.wheelNext.wheelPrevious = entry.wheelPrevious
    entry.wheelNext = null
    entry.wheelPrevious = null
    entry.wheelSlot = -1
    this.#count -= 1
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #turn(): void {
    this.#timer = null
    const now = this.#now()
    const target = Math.floor(now / this.#tickMs)
    // After a long stop (a suspended machine) one round of the wheel sees every slot.
    const first = Math.max(this.#tick + 1, target - SLOTS + 1)
    this.#tick = target
    for (let tick = first; tick <= target; tick += 1) this.#expireSlot(tick % SLOTS, now)
    if (this.#count > 0) this.#timer ??= setTimeout(() => this.#turn(), this.#tickMs)
  }

  #expireSlot(slot: number, now: number): void {
    for (let entry = this.#heads[slot]!; entry !== null;) {
      const next: WheelEntry | null = entry.wheelNext
      if (entry.deadlineMs <= now) {
        this.remove(entry)
        entry.expire()
      }
      // An expiry may remove its neighbour; then this slot is walked again from its head.
      entry = next !== null && next.wheelSlot !== slot ? this.#heads[slot]! : next!
    }
  }
}
