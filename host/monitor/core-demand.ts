import { readFileSync } from 'node:fs'

/**
 * What share of a core a process wants: what its main thread ran, and what it was ready to run and waited for. By
 * processor time alone, of several processes that spin on one core none takes more than its part.
 */
export class CoreDemand {
  readonly #file: string
  #lastNs: number | null = null
  #lastMs = 0

  constructor(pid: number) {
    this.#file = `/proc/${pid}/schedstat`
  }

  /** Since the look before. Null at the first one, for a process that is gone, and where the kernel does not count. */
  share(nowMs: number): number | null {
    const wantedNs = this.#read()
    const beforeNs = this.#lastNs
    const elapsedNs = (nowMs - this.#lastMs) * 1e6
    this.#lastNs = wantedNs
    this.#lastMs = nowMs
    return wantedNs === null || beforeNs === null ? null : (wantedNs - beforeNs) / elapsedNs
  }

  /** Nanoseconds on a core, then those of waiting for one (https://docs.kernel.org/scheduler/sched-stats.html). */
  #read(): number | null {
    try {
      const [ranNs, waitedNs] = readFileSync(this.#file, 'latin1').split(' ')
      return Number(ranNs) + Number(waitedNs)
    } catch {
      return null
    }
  }
}
