const SECOND_MS = 1000

/**
 * Lets at most so many a second in, evenly spread: the rate of the second before decides which share is kept, and
 * a burst beyond that is cut.
 */
export class Admission {
  readonly #maxPerSecond: number
  #second = -1
  #seen = 0
  #kept = 0
  #share = 1
  #credit = 0
  #thinned = 0

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond
  }

  /** How many were not let in. */
  get thinned(): number {
    return this.#thinned
  }

  admits(atMs: number): boolean {
    const second = Math.floor(atMs / SECOND_MS)
    if (second !== this.#second) this.#begin(second)
    this.#seen += 1
    this.#credit += this.#share
    if (this.#credit < 1 || this.#kept >= this.#maxPerSecond) {
      this.#thinned += 1
      return false
    }
    this.#credit -= 1
    this.#kept += 1
    return true
  }

  #begin(second: number): void {
    const wasSecondBefore = second === this.#second + 1
    this.#share = wasSecondBefore && this.#seen > 0 ? Math.min(1, this.#maxPerSecond / this.#seen) : 1
    this.#credit = 0
    this.#second = second
    this.#seen = 0
    this.#kept = 0
  }
}
