/** More than a stack of a panic has. */
const MAX_LINES = 64
/** Rust's first line of a panic (library/std/src/panicking.rs). */
const PANIC = /panicked at/
const NOTE = /^note: /

/**
 * What a plugin said before it trapped: a trap itself says no more than `unreachable`. Its last `log` of level `error`
 * is taken, or what it printed on stderr after it, of Rust's panics without the advice behind them.
 */
export class LastWords {
  #logged: string | null = null
  #printed: string[] = []

  /** A call begins. */
  forget(): void {
    this.#logged = null
    if (this.#printed.length > 0) this.#printed = []
  }

  said(message: string): void {
    this.#logged = message
  }

  printed(line: string): void {
    if (line.trim() === '' || NOTE.test(line)) return
    this.#logged = null
    if (PANIC.test(line) || this.#printed.length >= MAX_LINES) this.#printed = []
    this.#printed.push(line)
  }

  get text(): string | null {
    if (this.#logged !== null) return this.#logged
    if (this.#printed.length === 0) return null
    const isPanic = PANIC.test(this.#printed[0] ?? '')
    return isPanic ? this.#printed.join('\n') : (this.#printed.at(-1) ?? null)
  }
}
