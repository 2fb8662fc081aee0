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
 * cost a few pointer writes; an entry expires at most one tick late and never early. The timer sleeps until the next
 * slot that holds something: calls that only wait wake nobody.
 */
export class TimingWheel {
  readonly #now: () => number
  readonly #tickMs: number
  readonly #heads: (WheelEntry | null)[] = Array.from({ length: SLOTS }, () => null)
  #count = 0
  /** All slots up to this one have been looked at, or were empty when it was their turn. */
  #tick: number
  /** When the timer wakes; while it sleeps every slot before that is empty. */
  #wakeTick = Infinity
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
    const nowTick = Math.floor(this.#now() / this.#tickMs)
    this.#tick = this.#count === 0 ? nowTick : Math.max(this.#tick, Math.min(nowTick, this.#wakeTick - 1))
    const due = Math.max(Math.ceil(entry.deadlineMs / this.#tickMs), this.#tick + 1)
    const slot = due % SLOTS
    entry.wheelSlot = slot
    entry.wheelPrevious = null
    entry.wheelNext = this.#heads[slot]!
    if (entry.wheelNext !== null) entry.wheelNext.wheelPrevious = entry
    this.#heads[slot] = entry
    this.#count += 1
    // The first time that the slot comes round, which for a distant deadline is an earlier round than its own.
    const visit = this.#tick + 1 + ((slot - ((this.#tick + 1) % SLOTS) + SLOTS) % SLOTS)
    if (visit < this.#wakeTick) this.#wakeAt(visit)
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
    this.#wakeTick = Infinity
  }

  #turn(): void {
    this.#timer = null
    const now = this.#now()
    const target = Math.floor(now / this.#tickMs)
    // After a long stop (a suspended machine) one round of the wheel sees every slot.
    const first = Math.max(this.#tick + 1, target - SLOTS + 1)
    this.#tick = Math.max(this.#tick, target)
    // What is added meanwhile may not move on past slots that were not looked at.
    this.#wakeTick = this.#tick + 1
    for (let tick = first; tick <= target; tick += 1) this.#expireSlot(tick % SLOTS, now)
    this.#sleep()
  }

  /** Until the next slot that holds something. */
  #sleep(): void {
    this.#wakeTick = Infinity
    if (this.#count === 0) return
    for (let tick = this.#tick + 1; tick <= this.#tick + SLOTS; tick += 1) {
      if (this.#heads[tick % SLOTS] === null) continue
      this.#wakeAt(tick)
      return
    }
  }

  #wakeAt(tick: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#wakeTick = tick
    this.#timer = setTimeout(() => this.#turn(), Math.max(1, Math.ceil(tick * this.#tickMs - this.#now())))
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
