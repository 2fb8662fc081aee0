import type { InstanceLane } from '../execution/instance-lane.ts'
import type { ResourceSample, WatchedProcess } from '../metrics/resource-monitor.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'

const MEGABYTE = 1024 * 1024
/** What the kernel's limit does not count (shared and file pages) may come on top before the backstop acts. */
const TOLERANCE_BYTES = 48 * MEGABYTE
/** One read of a few microseconds for each process that has calls. */
const SAMPLE_MS = 50

/**
 * The backstop behind RLIMIT_DATA: it sees resident memory, so also what that limit does not count. It overshoots (it
 * polls), which is why it is not the limit.
 */
export class MemoryGuard {
  readonly #lanes: () => Iterable<InstanceLane>
  readonly #timer: NodeJS.Timeout

  constructor(options: { lanes: () => Iterable<InstanceLane> }) {
    this.#lanes = options.lanes
    this.#timer = setInterval(() => this.#sampleBusy(), SAMPLE_MS)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Every process of every plugin. */
  watched(): WatchedProcess[] {
    return this.#instances().flatMap(({ pid, state, inFlightCount }) =>
      pid === null ? [] : [{ pid, isBusy: inFlightCount > 0 || state === 'starting' }],
    )
  }

  judge(samples: ReadonlyMap<number, ResourceSample>): void {
    for (const instance of this.#instances()) {
      const sample = instance.pid === null ? undefined : samples.get(instance.pid)
      if (sample === undefined) continue
      if (instance.state !== 'ready') continue
      const usedBytes = sample.memoryBytes - instance.figures.idleRssBytes
      const maxBytes = instance.generation.manifest.limits.maxMemoryMb * MEGABYTE
      if (usedBytes > maxBytes + TOLERANCE_BYTES) void instance.end('memory_limit')
    }
  }

  /** A process that dies of its memory should have been seen near its end: its error says what it held. */
  #sampleBusy(): void {
    const nowMs = performance.now()
    for (const instance of this.#instances()) if (instance.inFlightCount > 0) instance.sampler?.sample(nowMs)
  }

  #instances(): RunnerInstance[] {
    return [...this.#lanes()].flatMap((lane) => [...lane.instances()])
  }
}
