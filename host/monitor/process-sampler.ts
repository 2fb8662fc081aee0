import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** What a process had used by a moment: CPU since its start, and what it holds in memory. */
export interface ProcessSample {
  /** On the monotonic clock, milliseconds. */
  readonly atMs: number
  /** User and system time of all its threads. Grain: one clock tick of the kernel, 10 ms. */
  readonly cpuTimeMs: number
  /** The same, and that of the children that it has waited for. */
  readonly familyCpuTimeMs: number
  readonly rssBytes: number
}

/** A process is read at most this often; calls in between share the sample. */
const SAMPLE_INTERVAL_MS = 10

const EMPTY: ProcessSample = { atMs: -Infinity, cpuTimeMs: 0, familyCpuTimeMs: 0, rssBytes: 0 }
const { clockTicksPerSecond, pageBytes } = readAuxiliaryVector()
export const PAGE_BYTES = pageBytes
const buffer = Buffer.alloc(1024)

/**
 * Reads one process's figures from `/proc/PID/stat` by a descriptor that stays open (a third of the cost of opening
 * it anew, and never another process's file after the pid was given again). proc_pid_stat(5).
 */
export class ProcessSampler {
  readonly #pid: number
  #descriptor: number | null
  #last: ProcessSample = EMPTY
  #peakRssBytes = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#descriptor = open(pid)
  }

  /** False when the process is gone; until then its pid is no other's. */
  get isOpen(): boolean {
    return this.#descriptor !== null
  }

  /** The most that a sample has seen. */
  get peakRssBytes(): number {
    return this.#peakRssBytes
  }

  /** The latest sample, as old as it is. */
  get last(): ProcessSample {
    return this.#last
  }

  /** The latest sample, made now unless it is younger than the interval. */
  sample(nowMs: number): ProcessSample {
    return nowMs - this.#last.atMs < SAMPLE_INTERVAL_MS ? this.#last : this.refresh(nowMs)
  }

  /** A sample made now. */
  refresh(nowMs: number): ProcessSample {
    if (this.#descriptor === null) return this.#last
    try {
      const length = readSync(this.#descriptor, buffer, 0, buffer.length, 0)
      const sample = parseStat(buffer.toString('latin1', 0, length), nowMs)
      // A process that is dead and not reaped yet holds nothing any more: what it held last stands.
      if (sample.rssBytes > 0) this.#last = sample
      this.#peakRssBytes = Math.max(this.#peakRssBytes, sample.rssBytes)
    } catch {
      // ESRCH: the process is gone; its last sample stands.
      this.close()
    }
    return this.#last
  }

  /** Asks the kernel for the most that it ever held: dearer than a sample. */
  readPeak(): void {
    try {
      const status = readFileSync(`/proc/${this.#pid}/status`, 'latin1')
      const kibibytes = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0)
      this.#peakRssBytes = Math.max(this.#peakRssBytes, kibibytes * 1024)
    } catch {
      // It is gone, and what samples saw stands.
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }
}

function open(pid: number): number | null {
  try {
    return openSync(`/proc/${pid}/stat`, 'r')
  } catch {
    return null
  }
}

/** The command name may hold spaces and brackets, so fields count from behind its last bracket. */
function parseStat(text: string, atMs: number): ProcessSample {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const waitedTicks = Number(fields[13]) + Number(fields[14])
  return {
    atMs,
    cpuTimeMs: (ticks * 1000) / clockTicksPerSecond,
    familyCpuTimeMs: ((ticks + waitedTicks) * 1000) / clockTicksPerSecond,
    rssBytes: Number(fields[21]) * pageBytes,
  }
}

/** getauxval(3): AT_PAGESZ is 6, AT_CLKTCK is 17; pairs of native words. */
function readAuxiliaryVector(): { clockTicksPerSecond: number; pageBytes: number } {
  const found = { clockTicksPerSecond: 100, pageBytes: 4096 }
  const bytes = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const type = Number(bytes.readBigUInt64LE(at))
    const value = Number(bytes.readBigUInt64LE(at + 8))
    if (type === 6) found.pageBytes = value
    if (type === 17) found.clockTicksPerSecond = value
  }
  return found
}
