import { closeSync, openSync, readSync } from 'node:fs'

const BLANK = 0x20
const LINE_END = 0x0a
const ZERO = 0x30

/** What was read last, of whatever file: every reader takes what it wants at once. */
const buffer = Buffer.alloc(1024)

/**
 * A file of figures in `/proc/PID`, by a descriptor that stays open: a third of the cost of opening it anew, and never
 * another process's file after the pid was given again. Figures are taken from the bytes, without texts between, since
 * hundreds of these files are read each second.
 */
export class FiguresFile {
  #descriptor: number | null
  readonly #figures: Float64Array

  /** @param count how many figures of it are wanted, from the first one on */
  constructor(path: string, count: number) {
    this.#figures = new Float64Array(count)
    this.#descriptor = open(path)
  }

  get isOpen(): boolean {
    return this.#descriptor !== null
  }

  /**
   * The figures, as they are now; what stands among them and is no number is any number. The same array every time.
   *
   * @param behind the last such byte ends what is left out at the beginning
   * @returns null when the process is gone: the file is closed then
   */
  read(behind?: number): Float64Array | null {
    if (this.#descriptor === null) return null
    try {
      const length = readSync(this.#descriptor, buffer, 0, buffer.length, 0)
      const start = behind === undefined ? 0 : buffer.lastIndexOf(behind, length - 1) + 2
      parse(start, length, this.#figures)
      return this.#figures
    } catch {
      // ESRCH.
      this.close()
      return null
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }
}

function parse(start: number, length: number, into: Float64Array): void {
  let value = 0
  let found = 0
  for (let at = start; at < length && found < into.length; at += 1) {
    const byte = buffer[at]!
    if (byte === BLANK || byte === LINE_END) {
      into[found] = value
      found += 1
      value = 0
    } else value = value * 10 + byte - ZERO
  }
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}
