import { meterProcess, meterTree, type CpuMeter } from '../monitor/cpu-meter.ts'
import { ProcessSampler } from '../monitor/process-sampler.ts'

/** What the host measures of one process; nothing before its pid is known. */
export class RunnerFigures {
  #pid: number | null = null
  #sampler: ProcessSampler | null = null
  #cpu: CpuMeter | null = null
  #idleRssBytes = 0

  get pid(): number | null {
    return this.#pid
  }
  get sampler(): ProcessSampler | null {
    return this.#sampler
  }
  get cpu(): CpuMeter | null {
    return this.#cpu
  }
  /** Resident memory when it became ready: what the allowance of `max_memory_mb` stands on. */
  get idleRssBytes(): number {
    return this.#idleRssBytes
  }

  /** @param root the process that all others of its sandbox come from; null where the runner is alone */
  learn(pid: number, root: number | null): void {
    if (this.#pid !== null) return
    this.#pid = pid
    this.#sampler = new ProcessSampler(pid)
    this.#cpu = root === null ? meterProcess(this.#sampler) : meterTree(root)
  }

  becameReady(nowMs: number): void {
    this.#idleRssBytes = this.#sampler?.sample(nowMs).rssBytes ?? 0
  }

  close(): void {
    this.#sampler?.close()
  }
}
