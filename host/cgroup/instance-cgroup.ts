import { readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_MAX_PROCESSES } from '../../src/contract/limits.ts'
import type { AttestationItem } from '../../src/contract/attestation.ts'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import type { CpuMeter, CpuReading } from '../monitor/cpu-meter.ts'
import { processesBelow } from '../monitor/process-tree.ts'

const MEGABYTE = 1024 * 1024
/** bubblewrap and its reaper are in it as well. */
const OWN_PROCESSES = 2
/** Until the runner has told that it idles: far above what one needs, and no plugin's code runs before. */
const STARTING_BYTES = 256 * MEGABYTE
/** What page cache and the kernel's own may add to what the plugin holds. */
const SLACK_BYTES = 16 * MEGABYTE
/** A process that appears while the others are moved was started by one of them: it is moved in the next round. */
const MAX_ROUNDS = 10
/** What is read back before a plugin's code runs. */
const HELD_TO = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.max'] as const
/** The kernel's own, in microseconds; its shortest quota is a hundredth of it. */
const CPU_PERIOD_USEC = 100_000
const LARGEST_PAGE_BYTES = 64 * 1024
const REMOVE_LOOK_MS = 20
const REMOVE_PATIENCE_MS = 2_000

/** The control group of one process of a plugin and of all below it (https://docs.kernel.org/admin-guide/cgroup-v2.html). */
export class InstanceCgroup implements CpuMeter {
  readonly #folder: string
  #idleBytes: number | null = null
  /** What each file was told last. */
  readonly #told = new Map<string, number | string>()

  /** @param folder empty: made for it */
  constructor(folder: string, limits: ManifestLimits) {
    this.#folder = folder
    this.#write('memory.max', STARTING_BYTES + limits.maxMemoryMb * MEGABYTE)
    this.#write('memory.swap.max', 0)
    // The kernel ends all of it or nothing: half a plugin is no plugin.
    this.#write('memory.oom.group', 1)
    this.#write('pids.max', OWN_PROCESSES + (limits.maxProcesses ?? DEFAULT_MAX_PROCESSES))
  }

  /** Right after the spawn: what the process starts from now on is in the group from its first instruction. */
  adopt(pid: number): void {
    this.#write('cgroup.procs', pid)
  }

  /**
   * Before any code of the plugin's runs. Between spawn and `adopt` the process may have started others, so all of them
   * are moved, until no new one is found: the runner starts none by itself. From here on memory counts above what the
   * idle runner holds, and what the kernel says it holds is what it was told.
   *
   * @throws the system's error where one cannot be moved, and an Error in words where a limit does not hold
   */
  seal(root: number, limits: ManifestLimits): void {
    const moved = new Set<number>()
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const fresh = processesBelow(root).filter((pid) => !moved.has(pid))
      if (fresh.length === 0) break
      for (const pid of fresh) this.adopt(pid)
      for (const pid of fresh) moved.add(pid)
    }
    this.#idleBytes = this.#number('memory.current') ?? 0
    this.limit(limits)
    for (const file of HELD_TO) if (this.#told.has(file)) this.#attest(file)
  }

  /** Sets what holds from now on, while it runs. */
  limit(limits: ManifestLimits): void {
    const aboveBytes = this.#idleBytes === null ? STARTING_BYTES : this.#idleBytes + SLACK_BYTES
    this.#write('memory.max', aboveBytes + limits.maxMemoryMb * MEGABYTE)
    this.#write('pids.max', OWN_PROCESSES + (limits.maxProcesses ?? DEFAULT_MAX_PROCESSES))
    // Not before: what starts is ours. And a kernel without the file holds all that ask for none.
    if (limits.maxCpuPercent !== null) this.#write('cpu.max', cpuMax(limits.maxCpuPercent))
  }

  /** In the words of setpriority(2), which the kernel turns into a weight. */
  setNice(nice: number): void {
    this.#write('cpu.weight.nice', nice)
  }

  read(nowMs: number): CpuReading | null {
    const usec = /^usage_usec (\d+)$/m.exec(this.#read('cpu.stat'))?.[1]
    return usec === undefined ? null : { usedMs: Number(usec) / 1000, atMs: nowMs }
  }

  /** Whether the kernel ended it for its memory. */
  get wasOutOfMemory(): boolean {
    return Number(/^oom_kill (\d+)$/m.exec(this.#read('memory.events'))?.[1] ?? 0) > 0
  }

  get isPopulated(): boolean {
    return /^populated 1$/m.test(this.#read('cgroup.events'))
  }

  /** Every process in it, however often it forked. */
  kill(): void {
    this.#write('cgroup.kill', 1)
  }

  /** A group goes when nothing lives in it any more; what still does is ended. */
  async remove(): Promise<boolean> {
    if (this.isPopulated) this.kill()
    for (let waitedMs = 0; waitedMs <= REMOVE_PATIENCE_MS; waitedMs += REMOVE_LOOK_MS) {
      try {
        rmdirSync(this.#folder)
        return true
      } catch (error) {
        // EBUSY: the kernel is not done with what lived here.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
      }
      await delay(REMOVE_LOOK_MS)
    }
    return false
  }

  /** What it was told to hold its processes to, beside what the kernel says of it now. */
  items(): AttestationItem[] {
    return HELD_TO.filter((file) => this.#told.has(file)).map((file) => {
      const found = this.#read(file).trim()
      const isHeld = this.#isHeld(file, found)
      return {
        name: `cgroup.${file}`,
        declared: String(this.#told.get(file)),
        effective: found === '' ? null : found,
        mechanism: 'cgroup v2',
        proof: `${file} of its control group`,
        verdict: found === '' ? 'not_readable' : isHeld ? 'holds' : 'differs',
      }
    })
  }

  #attest(file: string): void {
    const found = this.#read(file).trim()
    if (this.#isHeld(file, found)) return
    throw new Error(`${file} was told ${this.#told.get(file)} and says "${found}"`)
  }

  #isHeld(file: string, found: string): boolean {
    const told = this.#told.get(file) ?? 0
    if (found === String(told)) return true
    const holds = Number(found)
    // Memory is held to whole pages, of which no machine of ours has larger ones than these.
    const isInPages = file === 'memory.max' && typeof told === 'number' && found !== ''
    return isInPages && holds <= told && holds > told - LARGEST_PAGE_BYTES
  }

  #write(file: string, value: number | string): void {
    this.#told.set(file, value)
    writeFileSync(join(this.#folder, file), String(value))
  }

  #read(file: string): string {
    try {
      return readFileSync(join(this.#folder, file), 'latin1')
    } catch {
      // The kernel has no such file, or the group is gone.
      return ''
    }
  }

  #number(file: string): number | null {
    const value = Number.parseInt(this.#read(file), 10)
    return Number.isNaN(value) ? null : value
  }
}

/** `QUOTA PERIOD`: so much processor time of each period, all cores together. */
function cpuMax(percent: number): string {
  return `${(percent * CPU_PERIOD_USEC) / 100} ${CPU_PERIOD_USEC}`
}
