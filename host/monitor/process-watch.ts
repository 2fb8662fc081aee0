import { ResourceMonitor } from '../metrics/resource-monitor.ts'
import { DiskGuard } from './disk/disk-guard.ts'
import { InstanceKeeper, type InstanceKeeperOptions } from './instance-keeper.ts'
import { LookClock } from './look-clock.ts'
import { MemoryGuard } from './memory-guard.ts'

/** All that looks at running processes, by one clock. */
export class ProcessWatch {
  readonly resources: ResourceMonitor
  readonly disk: DiskGuard
  readonly #clock = new LookClock()
  readonly #memory: MemoryGuard
  readonly #keeper: InstanceKeeper

  constructor(options: Pick<InstanceKeeperOptions, 'lanes' | 'config' | 'onThrottled'>) {
    const clock = this.#clock
    const { lanes } = options
    // First: of what it reads the others take what they ask in the same turn.
    this.resources = new ResourceMonitor({
      clock,
      watched: () => this.#memory.watched(),
      onSamples: (samples, nowMs) => this.#memory.judge(samples, nowMs),
    })
    this.#memory = new MemoryGuard({
      clock,
      lanes,
      onActive: (active, nowMs) => this.#keeper.lookAtActive(active, nowMs),
    })
    this.disk = new DiskGuard({ clock, lanes })
    this.#keeper = new InstanceKeeper({
      ...options,
      clock,
      sampleOf: (pid) => this.resources.sampleOf(pid),
    })
  }

  start(): void {
    this.#clock.start()
  }

  /** From now on no process is stopped for being idle, asked, or made nicer; limits hold until the end. */
  stopKeeping(): void {
    this.#keeper.close()
  }

  async close(): Promise<void> {
    this.#clock.close()
    this.#memory.close()
    await this.disk.close()
    this.resources.close()
  }
}
