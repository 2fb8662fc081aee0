import { statfsSync } from 'node:fs'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { WatchedProcess } from '../metrics/resource-monitor.ts'
import type { RunnerFigures } from '../process/runner-figures.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'

const MEGABYTE = 1024 * 1024
/** A limit of the kernel's acts at once; behind it the backstop leaves room for what an allocator keeps in hand. */
const TOLERANCE_BYTES = 16 * MEGABYTE
/** An inode and an entry of a folder: what the kernel's slabs grow by, measured over 100,000 empty files. */
const NAME_BYTES = 1043
/** One read of a few microseconds for each process that has calls, */
const SAMPLE_MS = 50
/** and fewer of one that only waits: who uses no processor takes no memory. A little longer than the monitor's pause. */
const REST_MS = 300

/**
 * The backstop behind RLIMIT_DATA: it sees memory that is held, so also what that limit does not count (shared memory,
 * and what several processes of one plugin hold together). It overshoots (it polls), which is why it is not the limit.
 */
export class MemoryGuard {
  readonly #lanes: () => Iterable<InstanceLane>
  readonly #timer: NodeJS.Timeout
  /** When they were looked at last. */
  readonly #cpuTimes = new WeakMap<RunnerFigures, number>()

  constructor(options: { lanes: () => Iterable<InstanceLane> }) {
    this.#lanes = options.lanes
    this.#timer = setInterval(() => this.#lookAtBusy(), SAMPLE_MS)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Every process of every plugin. */
  watched(): WatchedProcess[] {
    return this.#instances().flatMap(({ pid, figures, state, inFlightCount }) =>
      pid === null
        ? []
        : [{ pid, isBusy: inFlightCount > 0 || state === 'starting', sampler: figures.sampler }],
    )
  }

  /** After each look of the monitor: those that it looked at and that have no calls. */
  judge(samples: ReadonlyMap<number, unknown>): void {
    const nowMs = performance.now()
    for (const instance of this.#instances()) {
      const isBusy = instance.inFlightCount > 0
      if (!isBusy && instance.pid !== null && samples.has(instance.pid)) judge(instance, nowMs)
    }
  }

  /** A process that dies of its memory should have been seen near its end: its error says what it held. */
  #lookAtBusy(): void {
    const nowMs = performance.now()
    // No list of them all, twenty times a second: most of hundreds have nothing to do.
    for (const lane of this.#lanes()) {
      for (const instance of lane.instances()) {
        if (instance.inFlightCount === 0) continue
        if (!this.#rests(instance, nowMs)) judge(instance, nowMs)
      }
    }
  }

  /**
   * Whether it has used no processor since it was looked at last, in ticks of the kernel. Of one that rests the
   * monitor's last look says so, too.
   */
  #rests({ figures }: RunnerInstance, nowMs: number): boolean {
    const { hasFamily, sampler } = figures
    if (hasFamily || sampler === null) return false
    const before = this.#cpuTimes.get(figures)
    if (before === sampler.last.cpuTimeMs && nowMs - sampler.last.atMs < REST_MS) return true
    const { cpuTimeMs } = sampler.sample(nowMs)
    this.#cpuTimes.set(figures, cpuTimeMs)
    return cpuTimeMs === before
  }

  #instances(): RunnerInstance[] {
    return [...this.#lanes()].flatMap((lane) => [...lane.instances()])
  }
}

/** Resident memory, which every sample has, is more than what is held: only where that is too much it is asked exactly. */
function judge(instance: RunnerInstance, nowMs: number): void {
  const { figures, state } = instance
  const sample = figures.sampler?.sample(nowMs)
  if (sample === undefined || state !== 'ready') return
  const maxBytes = instance.generation.limits.maxMemoryMb * MEGABYTE + TOLERANCE_BYTES
  const namesBytes = temporaryNamesBytes(instance)
  if (!figures.hasFamily && sample.rssBytes - figures.idleRssBytes + namesBytes <= maxBytes) return
  if (figures.heldBytes() + namesBytes > maxBytes) void instance.end('memory_limit')
}

/**
 * What the names of files in the private /tmp take: the kernel's memory, which no limit counts, and bubblewrap sets
 * none on their number.
 */
function temporaryNamesBytes({ pid, spec }: RunnerInstance): number {
  if (pid === null || spec.plan.tier !== 'namespace') return 0
  try {
    const { files, ffree } = statfsSync(`/proc/${pid}/root/tmp`)
    return (files - ffree) * NAME_BYTES
  } catch {
    // ENOENT: the process is gone. EACCES: a root daemon without CAP_SYS_PTRACE, which may not look there.
    return 0
  }
}
