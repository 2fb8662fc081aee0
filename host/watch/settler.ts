export interface SettlerOptions {
  /** Runs once nothing was touched for so long. */
  quietMs: number
  /** Runs at the latest so long after the first touch, though it never goes quiet. */
  maxWaitMs: number
  /** Never rejects. */
  run: () => Promise<void> | void
}

/** Turns bursts of events into single runs; runs never overlap. It reads no clock: the timers are the clock. */
export class Settler {
  readonly #options: SettlerOptions
  #quiet: NodeJS.Timeout | null = null
  #latest: NodeJS.Timeout | null = null
  #isRunning = false
  #isDue = false
  #isClosed = false

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** True from a touch until the run for it starts. */
  get isPending(): boolean {
    return this.#quiet !== null || this.#isDue
  }

  touch(): void {
    if (this.#isClosed) return
    if (this.#quiet !== null) {
      this.#quiet.refresh()
      return
    }
    this.#quiet = setTimeout(() => this.#fire(), this.#options.quietMs)
    this.#latest = setTimeout(() => this.#fire(), this.#options.maxWaitMs)
  }

  /** A run under way goes on; none starts after it. */
  close(): void {
    this.#isClosed = true
    this.#isDue = false
    this.#clearTimers()
  }

  #fire(): void {
    this.#clearTimers()
    this.#isDue = true
    if (!this.#isRunning) void this.#runWhileDue()
  }

  async #runWhileDue(): Promise<void> {
    this.#isRunning = true
    while (this.#isDue) {
      this.#isDue = false
      await this.#options.run()
    }
    this.#isRunning = false
  }

  #clearTimers(): void {
    if (this.#quiet !== null) clearTimeout(this.#quiet)
    if (this.#latest !== null) clearTimeout(this.#latest)
    this.#quiet = null
    this.#latest = null
  }
}
