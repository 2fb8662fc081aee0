const TICK_MS = 50

interface Look {
  readonly periodMs: number
  readonly look: (nowMs: number) => void
  round: number
}

/**
 * When the daemon looks at running processes. All looks lie on one grid: those that are due look in the same turn, in
 * which each process is read once for all of them, and the daemon wakes once. A period counts by the clock, so none
 * gets longer by what looking takes.
 */
export class LookClock {
  readonly #looks = new Set<Look>()
  readonly #tickMs: number
  #timer: NodeJS.Timeout | null = null
  #restsUntilMs = -Infinity

  constructor(tickMs: number = TICK_MS) {
    this.#tickMs = tickMs
  }

  start(): void {
    this.#timer ??= setInterval(() => this.tick(performance.now()), this.#tickMs).unref()
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#looks.clear()
  }

  /**
   * Looks of one turn are made in the order in which they were asked for. One that is missed is not made up for.
   *
   * @param look must not throw
   * @returns ends it
   */
  every(periodMs: number, look: (nowMs: number) => void): () => void {
    const added = { periodMs, look, round: -1 }
    this.#looks.add(added)
    return () => void this.#looks.delete(added)
  }

  /** Called by the timer. */
  tick(nowMs: number): void {
    if (nowMs < this.#restsUntilMs) return
    const startMs = performance.now()
    // A timer that is a little early or late belongs to the tick that is closest.
    const gridMs = Math.round(nowMs / this.#tickMs) * this.#tickMs
    for (const due of this.#looks) {
      const round = Math.floor(gridMs / due.periodMs)
      if (round === due.round) continue
      due.round = round
      due.look(nowMs)
    }
    // On a machine that is too slow for all of it, half of the time is still for calls.
    this.#restsUntilMs = nowMs + 2 * (performance.now() - startMs)
  }
}
