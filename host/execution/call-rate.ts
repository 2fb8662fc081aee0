import { TokenBucket } from '../supervisor/token-bucket.ts'

/** The part of a second's calls that may go at once after a pause. */
const BURST_SHARE = 0.1

/** How many calls a plugin is handed in a second (`max_calls_per_second`): a tenth of that at once, one at least. */
export class CallRate {
  readonly #bucket: TokenBucket

  /** @throws RangeError where no call would ever go. */
  constructor(options: { perSecond: number }) {
    const { perSecond } = options
    const burst = Math.max(1, perSecond * BURST_SHARE)
    this.#bucket = new TokenBucket({ burst, intervalMs: 1000 / perSecond })
  }

  /** 0: the call goes now, and is counted. Otherwise how long to wait before asking again. */
  take(nowMs: number): number {
    return this.#bucket.take(nowMs)
  }
}
