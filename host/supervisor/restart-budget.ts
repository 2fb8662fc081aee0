import { TokenBucket } from './token-bucket.ts'

/**
 * How many processes the whole host starts again: `intensity` at once, then one for each `periodMs / intensity`, so
 * that a hundred plugins that fall together do not take the machine with them. It delays and never refuses.
 */
export class RestartBudget {
  readonly #bucket: TokenBucket

  /** @throws RangeError where nothing would ever be granted. */
  constructor(options: { intensity: number; periodMs: number }) {
    const intervalMs = options.periodMs / options.intensity
    this.#bucket = new TokenBucket({ burst: options.intensity, intervalMs })
  }

  /**
   * Books one restart and answers in how many milliseconds it may happen; who asks again for the same one books
   * another. A booking that is not used is lost.
   */
  take(nowMs: number): number {
    return this.#bucket.book(nowMs)
  }
}
