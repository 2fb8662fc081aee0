import pidusage from 'pidusage'
import type { RunnerInstance } from '../process/runner-instance.ts'

/** Every instance with what its manifest allows. */
export interface WatchedInstance {
  readonly instance: RunnerInstance
  readonly maxMemoryBytes: number
}

const INTERVAL_MS = 250
/** What the kernel's limit does not count (shared and file pages) may come on top before the backstop acts. */
const TOLERANCE_BYTES = 48 * 1024 * 1024

/**
 * The backstop behind RLIMIT_DATA, by pidusage: it sees resident memory, so also what that limit does not count. It
 * overshoots (it polls), which is why it is not the limit.
 */
export class MemoryMonitor {
  readonly #watched: () => readonly WatchedInstance[]
  readonly #onOverrun: (instance: RunnerInstance, usedBytes: number) => void
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: {
    watched: () => readonly WatchedInstance[]
    onOverrun: (instance: RunnerInstance, usedBytes: number) => void
  }) {
    this.#watched = options.watched
    this.#onOverrun = options.onOverrun
  }

  start(): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => void this.#look(), INTERVAL_MS)
    this.#timer.unref()
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    pidusage.clear()
  }

  async #look(): Promise<void> {
    const byPid = new Map(
      this.#watched().flatMap((watched) =>
        watched.instance.pid === null ? [] : [[watched.instance.pid, watched] as const],
      ),
    )
    try {
      const usage = byPid.size === 0 ? {} : await pidusage([...byPid.keys()])
      for (const [pid, watched] of byPid) this.#judge(watched, usage[pid]?.memory ?? 0)
    } catch {
      // One of them ended between the list and the look: the next look is soon.
    }
    this.start()
  }

  #judge({ instance, maxMemoryBytes }: WatchedInstance, rssBytes: number): void {
    // Also while a call runs for long: a process that dies of its memory should have been seen near its end.
    instance.sampler?.sample(performance.now())
    if (instance.state !== 'ready') return
    const usedBytes = rssBytes - instance.idleRssBytes
    if (usedBytes > maxMemoryBytes + TOLERANCE_BYTES) this.#onOverrun(instance, usedBytes)
  }
}
