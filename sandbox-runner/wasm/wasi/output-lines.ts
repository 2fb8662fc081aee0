import { MAX_PLUGIN_TEXT_CHARS } from '../../../src/contract/limits.ts'

/** Cuts what a module prints into lines; one without an end is given out in pieces, so that nothing grows. */
export class OutputLines {
  readonly #onLine: (line: string) => void
  readonly #decoder = new TextDecoder()
  #begun = ''
  /** A call mostly prints nothing, and then has nothing to decode at its end. */
  #isFlushed = true

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  write(bytes: Uint8Array): void {
    this.#isFlushed = false
    // Bounded steps: what is decoded at once is memory, too, and a module's own may be large.
    for (let at = 0; at < bytes.length; at += MAX_PLUGIN_TEXT_CHARS) {
      const piece = bytes.subarray(at, at + MAX_PLUGIN_TEXT_CHARS)
      this.#take(this.#decoder.decode(piece, { stream: true }))
    }
  }

  /** Gives out a line that was begun, as at the end of a call. */
  flush(): void {
    if (this.#isFlushed) return
    this.#isFlushed = true
    const rest = this.#begun + this.#decoder.decode()
    this.#begun = ''
    if (rest !== '') this.#onLine(rest)
  }

  #take(text: string): void {
    const lines = (this.#begun + text).split('\n')
    this.#begun = lines.pop() ?? ''
    for (const line of lines) this.#onLine(line)
    while (this.#begun.length >= MAX_PLUGIN_TEXT_CHARS) {
      this.#onLine(this.#begun.slice(0, MAX_PLUGIN_TEXT_CHARS))
      this.#begun = this.#begun.slice(MAX_PLUGIN_TEXT_CHARS)
    }
  }
}
