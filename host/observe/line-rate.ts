const LINES_PER_SECOND = 1000
const BURST_LINES = 2000

/** A token bucket for one plugin's lines, and the count of those that found it empty. */
export class LineRate {
  static readonly linesPerSecond = LINES_PER_SECOND
  #tokens = BURST_LINES
  #filledAtMs: number
  #dropped = 0

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs
  }

  /** Whether this line may pass; one that may not is counted. */
  admits(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#filledAtMs) * LINES_PER_SECOND) / 1000
    this.#tokens = Math.min(BURST_LINES, this.#tokens + earned)
    this.#filledAtMs = nowMs
    if (this.#tokens < 1) {
      this.#dropped += 1
      return false
    }
    this.#tokens -= 1
    return true
  }

  /** What was dropped since the last time somebody asked. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }
}
