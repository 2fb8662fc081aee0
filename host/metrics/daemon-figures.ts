import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { SystemMetrics } from '../../src/contract/health.ts'

/**
 * Node's monitor is a timer. While one is due before the kernel's next tick, 4 ms, each wait of the loop sets a clock of
 * its own, which a virtual machine pays with 5 µs: every 20 ms, that made a call of 38 µs one of 62 for a sixth of the time.
 */
const RESOLUTION_MS = 100
/** The p99 is that of this long, or of the period before where that was worse. */
const PERIOD_MS = 60_000

/** What the daemon itself uses, and how late its loop runs. Starts at once; `close` ends its timers. */
export class DaemonFigures {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout
  #p99BeforeMs = 0

  constructor(periodMs: number = PERIOD_MS) {
    this.#delay.enable()
    this.#timer = setInterval(() => {
      this.#p99BeforeMs = this.#p99Ms()
      this.#delay.reset()
    }, periodMs)
    this.#timer.unref()
  }

  figures(): SystemMetrics['daemon'] {
    const { user, system } = process.cpuUsage()
    return {
      memory_bytes: process.memoryUsage.rss(),
      cpu_time_ms: (user + system) / 1000,
      event_loop_delay_p99_ms: Math.max(this.#p99BeforeMs, this.#p99Ms()),
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#delay.disable()
  }

  /** The monitor gives the time between two of its ticks: what is above its resolution is the delay. */
  #p99Ms(): number {
    if (this.#delay.count === 0) return 0
    return Math.max(0, this.#delay.percentile(99) / 1e6 - RESOLUTION_MS)
  }
}
