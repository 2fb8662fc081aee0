import { ProcessSampler } from './process-sampler.ts'
import { processesBelow } from './process-tree.ts'

/** What a plugin's process has used of the processor since its start, by the kernel's count. */
export interface CpuMeter {
  /** Milliseconds, in ticks of the kernel (10 ms); null where it cannot be read: the process is gone. */
  readMs(nowMs: number): number | null
}

/** All threads of one process: enough where it may start no other. */
export function meterProcess(sampler: ProcessSampler): CpuMeter {
  return {
    readMs: (nowMs) => {
      const { atMs, cpuTimeMs } = sampler.refresh(nowMs)
      return atMs === -Infinity ? null : cpuTimeMs
    },
  }
}

/**
 * A process and all below it, those that ended included: a parent that waits for a child inherits its time. One that
 * ignores its children (SIGCHLD) loses theirs with them, so the most that was ever seen stands.
 */
export function meterTree(root: number): CpuMeter {
  let mostMs = 0
  return {
    readMs: (nowMs) => {
      let sumMs = 0
      for (const pid of processesBelow(root)) {
        const sampler = new ProcessSampler(pid)
        sumMs += sampler.refresh(nowMs).familyCpuTimeMs
        sampler.close()
      }
      mostMs = Math.max(mostMs, sumMs)
      return mostMs
    },
  }
}
