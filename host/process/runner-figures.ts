import type { InstanceSpec } from './instance-spec.ts'
import type { SpawnedRunner } from './spawn-runner.ts'
import { cpuHoldOf } from '../monitor/cpu-hold.ts'
import { meterProcess, TreeMeter, type CpuMeter } from '../monitor/cpu-meter.ts'
import { CpuThrottle } from '../monitor/cpu-throttle.ts'
import { CoreDemand } from '../monitor/core-demand.ts'
import { DataWatch } from '../monitor/data-watch.ts'
import { heldBytes } from '../monitor/held-memory.ts'
import { KernelCounts } from '../monitor/kernel-counts.ts'
import { ProcessSampler } from '../monitor/process-sampler.ts'
import { processesBelow } from '../monitor/process-tree.ts'

type Origin = Pick<
  InstanceSpec,
  'mayStartProcesses' | 'cgroup' | 'plan' | 'generation' | 'initialize' | 'reach'
>

type Found = Pick<SpawnedRunner, 'findPid' | 'findRootPid'>

/** What the host measures of one process; nothing before its pid is known. */
export class RunnerFigures {
  #pid: number | null = null
  #readyAtMs: number | null = null
  #readyMs: number | null = null
  #rootPid: number | null = null
  #sampler: ProcessSampler | null = null
  #demand: CoreDemand | null = null
  #counts: KernelCounts | null = null
  #cpu: CpuMeter | null = null
  #data: DataWatch | null = null
  #throttle: CpuThrottle | null = null
  #idleRssBytes = 0
  #idleHeldBytes = 0
  #peakHeldBytes = 0
  #hasFamily = false
  #isClosed = false

  get pid(): number | null {
    return this.#pid
  }
  /** On the monotonic clock; null before it was ready. */
  get readyAtMs(): number | null {
    return this.#readyAtMs
  }
  /** What its start took. */
  get readyMs(): number | null {
    return this.#readyMs
  }
  get sampler(): ProcessSampler | null {
    return this.#sampler
  }
  get demand(): CoreDemand | null {
    return this.#demand
  }
  get counts(): KernelCounts | null {
    return this.#counts
  }
  get cpu(): CpuMeter | null {
    return this.#cpu
  }
  /** Null for a runner. */
  get data(): DataWatch | null {
    return this.#data
  }
  /** Null where a control group holds it, or nothing does. */
  get throttle(): CpuThrottle | null {
    return this.#throttle
  }
  /** The most that was ever seen above an idle one: by samples of the runner, and by looks at all that is held. */
  get peakUsedBytes(): number {
    const peakRssBytes = this.#sampler?.peakRssBytes ?? 0
    return Math.max(0, peakRssBytes - this.#idleRssBytes, this.#peakHeldBytes)
  }
  /** Whether other processes than the runner's own may be the plugin's. */
  get hasFamily(): boolean {
    return this.#hasFamily
  }
  /** Resident memory when it became ready: what the allowance of `max_memory_mb` stands on. */
  get idleRssBytes(): number {
    return this.#idleRssBytes
  }

  /** The process that all others of its sandbox come from. */
  get rootPid(): number | null {
    return this.#rootPid
  }

  /** @param onLost the process can't be held to its share of the processor */
  learn(found: Found, origin: Origin, onLost: (why: string) => void): void {
    const pid = found.findPid()
    if (this.#isClosed || this.#pid !== null || pid === null) return
    const rootPid = found.findRootPid()
    const { mayStartProcesses, cgroup, plan, generation } = origin
    this.#pid = pid
    this.#rootPid = rootPid
    this.#hasFamily = mayStartProcesses && rootPid !== null
    this.#sampler = new ProcessSampler(pid)
    // Until it is ready, what it holds is counted above what it had before its plugin's code.
    this.#idleRssBytes = this.#sampler.sample(performance.now()).rssBytes
    this.#demand = new CoreDemand(pid)
    const { initialize, reach } = origin
    const temporary = plan.tier === 'namespace' ? [`/proc/${pid}/root/tmp`] : []
    const writable = [initialize.data_dir, ...reach.grantedWritePaths, ...temporary]
    this.#counts = new KernelCounts(pid, rootPid, writable)
    const { isGated, rlimits } = plan.expected
    // The runner tells by itself when memory was refused.
    if (isGated && rlimits !== null) this.#data = new DataWatch(pid, rlimits.data)
    this.#cpu =
      cgroup ?? (this.#hasFamily && rootPid !== null ? new TreeMeter(rootPid) : meterProcess(this.#sampler))
    const percent = (): number | null => generation.limits.maxCpuPercent
    const hold = cpuHoldOf({ tier: plan.tier, hasCgroups: cgroup !== null }, generation.manifest)
    if (hold.by === 'stops')
      this.#throttle = new CpuThrottle({ pid, sampler: this.#sampler, percent, onLost })
  }

  becameReady(nowMs: number, startedAtMs: number): void {
    this.#readyAtMs = nowMs
    this.#readyMs = nowMs - startedAtMs
    this.#idleRssBytes = this.#sampler?.sample(nowMs).rssBytes ?? 0
    this.#idleHeldBytes = heldBytes(this.#family())
  }

  /** What it and all below it hold above what it held when it became ready: dearer than a sample, and exact. */
  heldBytes(): number {
    const held = Math.max(0, heldBytes(this.#family()) - this.#idleHeldBytes)
    this.#peakHeldBytes = Math.max(this.#peakHeldBytes, held)
    return held
  }

  close(): void {
    this.#isClosed = true
    this.#throttle?.close()
    this.#sampler?.close()
    this.#demand?.close()
    this.#data?.close()
  }

  #family(): readonly number[] {
    if (this.#pid === null) return []
    return this.#hasFamily && this.#rootPid !== null ? processesBelow(this.#rootPid) : [this.#pid]
  }
}
