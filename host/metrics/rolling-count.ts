const SLOTS = 12

/**
 * How often something happened lately, in constant memory: twelve slots that together span the window. The oldest
 * slot falls out as a whole, so the count covers between eleven and twelve twelfths of the window.
 */
export class RollingCount {
  readonly #slotMs: number
  readonly #counts = new Float64Array(SLOTS)
  #sum = 0
  /** Number of the newest slot since the clock's zero. */
  #newest = 0

  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS
  }

  add(nowMs: number): void {
    this.#advance(nowMs)
    const slot = this.#newest % SLOTS
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
    this.#sum += 1
  }

  count(nowMs: number): number {
    this.#advance(nowMs)
    return this.#sum
  }

  #advance(nowMs: number): void {
    const slot = Math.floor(nowMs / this.#slotMs)
    if (slot <= this.#newest) return
    if (slot - this.#newest >= SLOTS) {
      this.#counts.fill(0)
      this.#sum = 0
    } else {
      for (let passed = this.#newest + 1; passed <= slot; passed += 1) {
        this.#sum -= this.#counts[passed % SLOTS] ?? 0
        this.#counts[passed % SLOTS] = 0
      }
    }
    this.#newest = slot
  }
}
