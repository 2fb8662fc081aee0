import { FiguresFile } from './figures-file.ts'
import { PAGE_BYTES } from './process-sampler.ts'

/** A program that fills its memory as fast as the machine can takes some ten megabytes in this time. */
const LOOK_MS = 5
/** One whose data does not grow is looked at in every so many looks. */
const REST_LOOKS = 10
const LOOKS_UNTIL_REST = 20
/** What was held so long ago says nothing about why a process ended. */
const FRESH_MS = 250
/** Less than the whole: the allocation that failed may be large, and part of the rest is never handed out. */
const NEARLY = 0.75

/** In `statm`, proc_pid_statm(5). */
const DATA_FIELD = 5

/**
 * Watches what a program counts against RLIMIT_DATA while it has calls. The kernel refuses it more, and says so to
 * nobody else; what the program makes of that is its own, and most make a signal of it.
 */
export class DataWatch {
  readonly #limitBytes: number
  readonly #statm: FiguresFile
  #peak = { bytes: 0, atMs: 0 }
  #lastBytes = 0
  #restingLooks = 0

  constructor(pid: number, limitBytes: number) {
    this.#limitBytes = limitBytes
    this.#statm = new FiguresFile(`/proc/${pid}/statm`, DATA_FIELD + 1)
  }

  /** A call begins. */
  begin(isBusy: () => boolean): void {
    if (this.#statm.isOpen) ticker.add(this, isBusy)
  }

  /** Whether it was near its limit just now. */
  isNearLimit(nowMs: number): boolean {
    return nowMs - this.#peak.atMs < FRESH_MS && this.#peak.bytes >= this.#limitBytes * NEARLY
  }

  look(nowMs: number): void {
    this.#restingLooks += 1
    const rests = this.#restingLooks > LOOKS_UNTIL_REST
    if (rests && this.#restingLooks % REST_LOOKS !== 0) return
    const figures = this.#statm.read()
    // It is gone. What it held last stands.
    if (figures === null) return
    const bytes = figures[DATA_FIELD]! * PAGE_BYTES
    if (bytes > this.#lastBytes) this.#restingLooks = 0
    this.#lastBytes = bytes
    if (bytes >= this.#peak.bytes || nowMs - this.#peak.atMs > FRESH_MS) this.#peak = { bytes, atMs: nowMs }
  }

  close(): void {
    this.#statm.close()
  }
}

/** One timer for all processes that are watched, and none while there is none. */
class Ticker {
  readonly #watched = new Map<DataWatch, () => boolean>()
  #timer: NodeJS.Timeout | null = null

  add(watch: DataWatch, isBusy: () => boolean): void {
    this.#watched.set(watch, isBusy)
    this.#timer ??= setInterval(() => this.#tick(), LOOK_MS).unref()
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const [watch, isBusy] of this.#watched) {
      if (isBusy()) watch.look(nowMs)
      else this.#watched.delete(watch)
    }
    if (this.#watched.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

const ticker = new Ticker()
