import { FiguresFile } from './figures-file.ts'

/**
 * What share of a core a process wants: what its main thread ran, and what it was ready to run and waited for. By
 * processor time alone, of several processes that spin on one core none takes more than its part.
 */
export class CoreDemand {
  readonly #schedstat: FiguresFile
  #lastNs: number | null = null
  #lastMs = 0

  constructor(pid: number) {
    this.#schedstat = new FiguresFile(`/proc/${pid}/schedstat`, 2)
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

  close(): void {
    this.#schedstat.close()
  }

  /** Nanoseconds on a core, then those of waiting for one (https://docs.kernel.org/scheduler/sched-stats.html). */
  #read(): number | null {
    const figures = this.#schedstat.read()
    return figures === null ? null : figures[0]! + figures[1]!
  }
}
