import { readFileSync } from 'node:fs'
import { DEFAULT_MAX_DISK_MB } from '../../../src/contract/limits.ts'
import { PhantomError } from '../../../src/contract/phantom-error.ts'
import type { InstanceLane } from '../../execution/instance-lane.ts'
import type { LimitBreach } from '../../execution/limit-error.ts'
import type { Generation } from '../../generations/generation.ts'
import type { RunnerInstance } from '../../process/runner-instance.ts'
import type { LookClock } from '../look-clock.ts'
import { FolderMeasurer } from './folder-measurer.ts'
import type { FolderMeasure } from './measure-folder.ts'

const MEGABYTE = 1024 * 1024
/** How often a process is asked what it wrote: while it writes much, while it has calls, and else. */
const LOOK_MS = { writing: 50, busy: 250, idle: 2_000 } as const
/** At the latest after so long what a plugin holds is counted again, whatever its processes say they wrote. */
const COUNT_BUSY_MS = 1_000
const COUNT_IDLE_MS = 15_000
/** A large folder is counted seldom, so that counting takes at most this part of a core. */
const COUNT_SHARE = 0.1

/** What the guard knows of one plugin's `data_dir`. */
interface Watched {
  /** At the look that is made just now. */
  readonly running: RunnerInstance[]
  measure: FolderMeasure | null
  isCounting: boolean
  isWriting: boolean
  countedAtMs: number
  /** Until it may be counted again. */
  restMs: number
  /** Bytes that its processes had written when it was counted last, each by pid. */
  readonly writtenAtCount: Map<number, number>
  /** Processor time that they had used by then. Who has used none since has written nothing. */
  readonly cpuAtCount: Map<number, number>
}

/**
 * Holds `max_disk_mb`: what a plugin's `data_dir` takes up. No quota of the kernel does, so it is watched: a process
 * says what it wrote (proc_pid_io(5)), and where that could be too much the folder is counted, in a thread.
 */
export class DiskGuard {
  readonly #lanes: () => Iterable<InstanceLane>
  readonly #measurer = new FolderMeasurer()
  readonly #watched = new Map<string, Watched>()
  readonly #stopLooking: (() => void)[]
  #isClosed = false
  #isIdleDue = false
  #lookedAtMs = -Infinity
  #isAnyWriting = false

  constructor({ clock, lanes }: { clock: LookClock; lanes: () => Iterable<InstanceLane> }) {
    this.#lanes = lanes
    this.#stopLooking = [
      clock.every(LOOK_MS.idle, () => (this.#isIdleDue = true)),
      clock.every(LOOK_MS.busy, (nowMs) => this.#look(nowMs)),
      clock.every(LOOK_MS.writing, (nowMs) => this.#lookAtWriting(nowMs)),
    ]
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const stop of this.#stopLooking) stop()
    await this.#measurer.close()
  }

  /**
   * Nothing starts for a plugin that holds too much.
   *
   * @throws PhantomError LIMIT_EXCEEDED
   */
  async assertRoom(generation: Generation, dataDir: string): Promise<void> {
    const watched = this.#of(generation.id)
    if (watched.measure === null || breachOf(generation, watched.measure) !== null)
      watched.measure = await this.#measurer.measure(dataDir, limitBytesOf(generation))
    const breach = breachOf(generation, watched.measure)
    if (breach !== null) throw refusedStart(generation, { dataDir, breach, measure: watched.measure })
  }

  #of(pluginId: string): Watched {
    const known = this.#watched.get(pluginId)
    if (known !== undefined) return known
    const watched: Watched = {
      running: [],
      measure: null,
      isCounting: false,
      isWriting: false,
      countedAtMs: -Infinity,
      restMs: 0,
      writtenAtCount: new Map(),
      cpuAtCount: new Map(),
    }
    this.#watched.set(pluginId, watched)
    return watched
  }

  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs
    this.#findRunning()
    this.#isAnyWriting = false
    for (const watched of this.#watched.values()) {
      const { running } = watched
      if (running.length === 0) watched.writtenAtCount.clear()
      else if (this.#isIdleDue || watched.isWriting || running.some(isBusy)) this.#lookAt(watched, nowMs)
      if (watched.isWriting) this.#isAnyWriting = true
    }
    this.#isIdleDue = false
  }

  #lookAtWriting(nowMs: number): void {
    if (!this.#isAnyWriting || this.#lookedAtMs === nowMs) return
    this.#findRunning()
    for (const watched of this.#watched.values())
      if (watched.isWriting && watched.running.length > 0) this.#lookAt(watched, nowMs)
  }

  /** In the same lists every time: most of hundreds have nothing to do. */
  #findRunning(): void {
    for (const { running } of this.#watched.values()) running.length = 0
    for (const lane of this.#lanes()) {
      for (const instance of lane.instances()) {
        if (instance.state === 'stopped' || instance.pid === null) continue
        this.#of(instance.generation.id).running.push(instance)
      }
    }
  }

  #lookAt(watched: Watched, nowMs: number): void {
    if (watched.isCounting || nowMs - watched.countedAtMs < watched.restMs) return
    const instances = watched.running
    const isOld = nowMs - watched.countedAtMs >= COUNT_IDLE_MS
    if (!isOld && !haveWorked(instances, watched, nowMs)) return
    const limitBytes = Math.min(...instances.map(({ generation }) => limitBytesOf(generation)))
    const leftBytes = limitBytes - (watched.measure?.bytes ?? limitBytes)
    const written = writtenSince(instances, watched)
    watched.isWriting = written > leftBytes / 4
    const isDue = isOld || (instances.some(isBusy) && nowMs - watched.countedAtMs >= COUNT_BUSY_MS)
    if (isDue || written >= leftBytes) void this.#count([...instances], watched, limitBytes)
  }

  async #count(instances: readonly RunnerInstance[], watched: Watched, limitBytes: number): Promise<void> {
    const startedAtMs = performance.now()
    watched.isCounting = true
    watched.writtenAtCount.clear()
    watched.cpuAtCount.clear()
    for (const { pid, figures } of instances) {
      if (pid === null) continue
      watched.writtenAtCount.set(pid, writtenBy(pid))
      watched.cpuAtCount.set(pid, figures.sampler?.sample(startedAtMs).cpuTimeMs ?? 0)
    }
    const measure = await this.#measurer.measure(instances[0]!.spec.initialize.data_dir, limitBytes)
    if (this.#isClosed) return
    watched.isCounting = false
    watched.measure = measure
    watched.countedAtMs = performance.now()
    watched.restMs = (watched.countedAtMs - startedAtMs) / COUNT_SHARE
    for (const instance of instances) endIfOver(instance, measure)
  }
}

function isBusy({ inFlightCount }: RunnerInstance): boolean {
  return inFlightCount > 0
}

function endIfOver(instance: RunnerInstance, measure: FolderMeasure): void {
  const breach = breachOf(instance.generation, measure)
  if (breach === null) return
  for (const execution of instance.inFlight()) instance.breakLimit(execution, breach, 'resource_limit')
  instance.breakLimit(null, breach, 'resource_limit')
}

function breachOf(generation: Generation, { bytes, files, problem }: FolderMeasure): LimitBreach | null {
  if (bytes <= limitBytesOf(generation) && problem === null) return null
  const declared = generation.limits.maxDiskMb ?? DEFAULT_MAX_DISK_MB
  const measured = problem === null ? Math.ceil(bytes / MEGABYTE) : null
  return { limit: 'max_disk_mb', declared, measured, files }
}

function limitBytesOf({ limits }: Generation): number {
  return (limits.maxDiskMb ?? DEFAULT_MAX_DISK_MB) * MEGABYTE
}

function refusedStart(
  { id }: Generation,
  { dataDir, breach, measure }: { dataDir: string; breach: LimitBreach; measure: FolderMeasure },
): PhantomError {
  const { limit, declared, measured, files } = breach
  const what = measure.problem ?? `it holds ${measured} MB in ${files} files`
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `Cannot start "${id}": its data_dir "${dataDir}" is too large: ${what}, its limit max_disk_mb is ${declared}. ` +
      'Remove what it does not need from there, or raise the limit in [resource_limits] of its plugin.toml',
    { details: { limit, declared, measured, files, data_dir: dataDir } },
  )
}

/** In ticks of the kernel (10 ms), so less than that may have been used unseen. */
function haveWorked(instances: readonly RunnerInstance[], { cpuAtCount }: Watched, nowMs: number): boolean {
  return instances.some(
    ({ pid, figures: { hasFamily, sampler } }) =>
      pid !== null && (hasFamily || cpuAtCount.get(pid) !== sampler?.sample(nowMs).cpuTimeMs),
  )
}

/** What processes have written since their plugin was counted; all of what one wrote that came since. */
function writtenSince(instances: readonly RunnerInstance[], { writtenAtCount }: Watched): number {
  let written = 0
  for (const { pid } of instances) {
    const before = pid === null ? 0 : (writtenAtCount.get(pid) ?? 0)
    // Where it is not to be had, the clock alone says when to count.
    if (pid !== null && before !== Infinity) written += Math.max(0, writtenBy(pid) - before)
  }
  return written
}

/** `wchar`: bytes handed to write(2) and its like, whether to files or not. Infinity where it is not to be had. */
function writtenBy(pid: number): number {
  try {
    const found = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]
    return found === undefined ? Infinity : Number(found)
  } catch {
    // ENOENT: it is gone. EACCES: the folder is counted as often as may be.
    return Infinity
  }
}
