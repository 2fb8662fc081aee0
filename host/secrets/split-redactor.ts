import { SHOWN, type Redactor } from './redactor.ts'

/** A line whose end may begin a secret waits so long for the next one. */
const WAIT_MS = 100
/** Fewer characters at a line's end are not waited for: they would delay too many lines, and tell little. */
const MIN_HELD_CHARS = 4
const MAX_HELD_LINES = 256
const MAX_HELD_CHARS = 64 * 1024

/** Takes secrets out of lines that come one by one, also where one is broken over several of them. */
export class SplitRedactor {
  readonly #redactor: Redactor
  readonly #onLine: (line: string) => void
  #held: string[] = []
  /** The end of what was passed on: the beginning of a secret, too short to wait for. */
  #before = ''
  #timer: NodeJS.Timeout | null = null

  constructor(redactor: Redactor, onLine: (line: string) => void) {
    this.#redactor = redactor
    this.#onLine = onLine
  }

  push(line: string): void {
    this.#held.push(line)
    this.#redactAcross()
    const text = this.#before + this.#held.join('')
    const openLength = this.#redactor.openLength(text)
    const isFull = this.#held.length > MAX_HELD_LINES || text.length > MAX_HELD_CHARS
    this.#pass(openLength < MIN_HELD_CHARS || isFull ? 0 : openLength)
    this.#before = this.#held.length > 0 || openLength === 0 ? this.#before : text.slice(-openLength)
    if (this.#held.length > 0) this.#timer ??= setTimeout(() => this.flush(), WAIT_MS).unref()
  }

  /** Passes everything on. */
  flush(): void {
    this.#pass(0)
    this.#before = ''
  }

  /** All lines but those that the last characters stand in. */
  #pass(openLength: number): void {
    let kept = 0
    let first = this.#held.length
    while (first > 0 && kept < openLength) {
      first -= 1
      kept += this.#held[first]!.length
    }
    const passed = this.#held.splice(0, first)
    if (this.#held.length === 0 && this.#timer !== null) {
      clearTimeout(this.#timer)
      this.#timer = null
    }
    if (passed.length > 0) this.#before = ''
    for (const line of passed) this.#onLine(this.#redactor.redact(line))
  }

  #redactAcross(): void {
    if (this.#held.length === 1 && this.#before === '') return
    const found = this.#redactor.find(this.#before + this.#held.join(''))
    let start = this.#before.length
    this.#held = this.#held.map((line) => {
      const end = start + line.length
      const inLine = found
        .filter(([from, to]) => from < end && to > start && (from < start || to > end))
        .map(([from, to]) => [Math.max(from, start) - start, Math.min(to, end) - start] as const)
      start = end
      return inLine.reduceRight((text, [from, to]) => text.slice(0, from) + SHOWN + text.slice(to), line)
    })
  }
}
