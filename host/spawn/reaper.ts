import os from 'node:os'
import type { ProcessEnd } from './started-process.ts'

/** `waitpid`, without waiting: the process's own number when it has ended and `status` says how. */
type WaitPid = (pid: number, status: Int32Array) => number

/** Should a signal be lost among others; while there is somebody to wait for it also keeps this process alive. */
const LOOK_MS = 1_000

const SIGNAL_NAMES = new Map(Object.entries(os.constants.signals).map(([name, number]) => [number, name]))

/** Hears of the end of processes that libuv did not start; it waits for none but its own. */
export class Reaper {
  readonly #wait: WaitPid
  readonly #waiting = new Map<number, (end: ProcessEnd) => void>()
  #timer: NodeJS.Timeout | null = null

  constructor(wait: WaitPid) {
    this.#wait = wait
    process.on('SIGCHLD', () => this.#reap())
  }

  /** Once for each process, in the turn in which it was started. */
  watch(pid: number, onEnd: (end: ProcessEnd) => void): void {
    this.#waiting.set(pid, onEnd)
    this.#timer ??= setInterval(() => this.#reap(), LOOK_MS)
  }

  #reap(): void {
    const status = new Int32Array(new ArrayBuffer(4))
    for (const [pid, onEnd] of this.#waiting) {
      if (this.#wait(pid, status) === 0) continue
      this.#waiting.delete(pid)
      onEnd(endOf(status[0] ?? 0))
    }
    if (this.#waiting.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

/** <bits/waitstatus.h>: the signal in the low seven bits, else the exit code in the next byte. */
function endOf(status: number): ProcessEnd {
  const signal = status & 0x7f
  if (signal === 0) return { code: (status >> 8) & 0xff, signal: null }
  return { code: null, signal: (SIGNAL_NAMES.get(signal) ?? `SIG${signal}`) as NodeJS.Signals }
}
