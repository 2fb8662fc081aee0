import { meterProcess, meterTree, type CpuMeter } from '../monitor/cpu-meter.ts'
import { ProcessSampler } from '../monitor/process-sampler.ts'

/** What the host measures of one process; nothing before its pid is known. */
export class RunnerFigures {
  #pid: number | null = null
  #rootPid: number | null = null
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

  /** The process that all others of its sandbox come from. */
  get rootPid(): number | null {
    return this.#rootPid
  }

  learn(pid: number, rootPid: number | null, mayStartProcesses: boolean): void {
    if (this.#pid !== null) return
    this.#pid = pid
    this.#rootPid = rootPid
    this.#sampler = new ProcessSampler(pid)
    this.#cpu = mayStartProcesses && rootPid !== null ? meterTree(rootPid) : meterProcess(this.#sampler)
  }

  becameReady(nowMs: number): void {
    this.#idleRssBytes = this.#sampler?.sample(nowMs).rssBytes ?? 0
  }

  close(): void {
    this.#sampler?.close()
  }
}
