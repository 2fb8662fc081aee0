/** Due times are sums of fractions: less than this is no wait. */
const ROUNDING_MS = 1e-6

/**
 * `burst` at once, then one for each `intervalMs`. The form is GCRA: the bucket is one number, the time at which it
 * is full again (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). A clock that goes back is taken to
 * stand still.
 */
export class TokenBucket {
  readonly #intervalMs: number
  readonly #toleranceMs: number
  #fullAtMs = 0
  #nowMs = 0

  /** @throws RangeError where it would never give anything. */
  constructor(options: { burst: number; intervalMs: number }) {
    const { burst, intervalMs } = options
    if (!(burst >= 1 && intervalMs >= 0 && intervalMs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`Cannot make a token bucket of ${burst} and one for each ${intervalMs} ms`)
    }
    this.#intervalMs = intervalMs
    this.#toleranceMs = intervalMs * (burst - 1)
  }

  /** 0, and one is taken. Otherwise how long to wait before asking again, in whole milliseconds; none is taken. */
  take(nowMs: number): number {
    const waitMs = this.#waitMs(nowMs)
    if (waitMs === 0) this.#fullAtMs += this.#intervalMs
    return waitMs
  }

  /** Takes the next one, even if it is not there yet, and answers in how many whole milliseconds it will be. */
  book(nowMs: number): number {
    const waitMs = this.#waitMs(nowMs)
    this.#fullAtMs += this.#intervalMs
    return waitMs
  }

  #waitMs(nowMs: number): number {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
    this.#fullAtMs = Math.max(this.#fullAtMs, this.#nowMs)
    const waitMs = this.#fullAtMs - this.#toleranceMs - this.#nowMs
    return waitMs > ROUNDING_MS ? Math.ceil(waitMs - ROUNDING_MS) : 0
  }
}
