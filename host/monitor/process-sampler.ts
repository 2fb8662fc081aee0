import { readFileSync } from 'node:fs'
import { FiguresFile } from './figures-file.ts'

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

/** proc_pid_stat(5). The command's name may hold blanks and brackets, so fields count from behind its last bracket, */
const BRACKET = 0x29
/** where the state stands, which is no number. */
const FIELD = { utime: 11, stime: 12, cutime: 13, cstime: 14, rss: 21 } as const

/** Reads one process's figures from `/proc/PID/stat`. */
export class ProcessSampler {
  readonly #pid: number
  readonly #stat: FiguresFile
  #last: ProcessSample = EMPTY
  #peakRssBytes = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#stat = new FiguresFile(`/proc/${pid}/stat`, FIELD.rss + 1)
  }

  /** False when the process is gone; until then its pid is no other's. */
  get isOpen(): boolean {
    return this.#stat.isOpen
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
    const figures = this.#stat.read(BRACKET)
    // A process that is gone, or dead and not reaped yet, holds nothing any more: what it held last stands.
    if (figures === null || figures[FIELD.rss] === 0) return this.#last
    this.#last = toSample(figures, nowMs)
    this.#peakRssBytes = Math.max(this.#peakRssBytes, this.#last.rssBytes)
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
    this.#stat.close()
  }
}

function toSample(figures: Float64Array, atMs: number): ProcessSample {
  const ticks = figures[FIELD.utime]! + figures[FIELD.stime]!
  const waitedTicks = figures[FIELD.cutime]! + figures[FIELD.cstime]!
  return {
    atMs,
    cpuTimeMs: (ticks * 1000) / clockTicksPerSecond,
    familyCpuTimeMs: ((ticks + waitedTicks) * 1000) / clockTicksPerSecond,
    rssBytes: figures[FIELD.rss]! * pageBytes,
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
