import { MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import type { RunnerNotifications } from '../src/contract/runner-methods.ts'

type Progress = RunnerNotifications['progress']
export type SendProgress = (progress: Progress) => void

/** About 20 reports a second and call: what a person can follow. */
const INTERVAL_MS = 50

/** Lets the first report through, then one an interval, and always the last one. */
export class ProgressThrottle {
  readonly #id: number
  readonly #send: SendProgress
  #waiting: Progress | null = null
  #timer: NodeJS.Timeout | null = null
  #sentMs = -INTERVAL_MS
  #ended = false

  constructor(id: number, send: SendProgress) {
    this.#id = id
    this.#send = send
  }

  report(fraction: number | null, message?: string): void {
    if (this.#ended) return
    const progress: Progress = { id: this.#id }
    if (fraction !== null && !Number.isNaN(fraction)) progress.fraction = Math.min(1, Math.max(0, fraction))
    if (message !== undefined) progress.message = String(message).slice(0, MAX_PLUGIN_TEXT_CHARS)
    this.#waiting = progress
    const waitMs = this.#sentMs + INTERVAL_MS - performance.now()
    if (waitMs <= 0) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs)
  }

  end(): void {
    this.#flush()
    this.#ended = true
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#waiting === null) return
    const progress = this.#waiting
    this.#waiting = null
    this.#sentMs = performance.now()
    this.#send(progress)
  }
}
