import { createInterface, type Interface } from 'node:readline/promises'

/** Asks a person at the terminal. Ctrl-C and the end of input are no answer. */
export class TerminalQuestions implements Disposable {
  readonly #interface: Interface
  readonly #closed = new AbortController()

  constructor() {
    this.#interface = createInterface({ input: process.stdin, output: process.stdout })
    this.#interface.once('close', () => this.#closed.abort())
  }

  static isPossible(): boolean {
    return process.stdin.isTTY && process.stdout.isTTY
  }

  [Symbol.dispose](): void {
    this.#interface.close()
  }

  /** Null when there is no answer. */
  async ask(question: string): Promise<string | null> {
    if (this.#closed.signal.aborted) return null
    try {
      return (await this.#interface.question(question, { signal: this.#closed.signal })).trim()
    } catch {
      // Aborted: whoever was asked went away.
      return null
    }
  }

  /**
   * Asks until the answer is one of these, or begins as one alone of them does. Null when there is none. An empty
   * line means the last parameter, where there is one.
   */
  async choose<Choice extends string>(
    question: string,
    choices: readonly Choice[],
    onEmptyLine?: Choice,
  ): Promise<Choice | null> {
    for (;;) {
      const answer = await this.ask(question)
      if (answer === null) return null
      if (answer === '' && onEmptyLine !== undefined) return onEmptyLine
      const meant = choices.filter((choice) => answer !== '' && choice.startsWith(answer.toLowerCase()))
      if (meant.length === 1 && meant[0] !== undefined) return meant[0]
    }
  }
}
