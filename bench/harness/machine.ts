import fs from 'node:fs'
import os from 'node:os'

/** What the figures depend on besides the code. */
export interface Machine {
  cpu: string
  cores: number
  memory_bytes: number
  kernel: string
  node: string
  /** Load average of the last minute: above the number of cores, others were at work too. */
  load_before: number
  load_after: number
  /** Share of the run's processor time that the host of this virtual machine gave to others (proc_stat(5)). */
  stolen_share: number
  pinned_core: number | null
}

/** Call it before the run; what it returns describes the machine at the run's end. */
export function observeMachine(pinnedCore: number | null): () => Machine {
  const before = { load: oneMinuteLoad(), ticks: cpuTicks() }
  return () => {
    const after = cpuTicks()
    return {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      memory_bytes: os.totalmem(),
      kernel: `${os.type()} ${os.release()} ${os.arch()}`,
      node: process.version,
      load_before: before.load,
      load_after: oneMinuteLoad(),
      stolen_share: (after.stolen - before.ticks.stolen) / Math.max(after.all - before.ticks.all, 1),
      pinned_core: pinnedCore,
    }
  }
}

function oneMinuteLoad(): number {
  return os.loadavg()[0] ?? 0
}

/** user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already. */
function cpuTicks(): { all: number; stolen: number } {
  const [, ...fields] = (fs.readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/)
  const ticks = fields.slice(0, 8).map(Number)
  return { all: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 }
}
