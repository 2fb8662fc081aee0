import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'

/** Ctrl-C while a call is out: the first cancels, the second leaves at once. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController()
  readonly #onFirst: () => void

  /** `onFirst` says what is going on now. */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst
    process.on('SIGINT', this.#onSigint)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#onSigint)
  }

  readonly #onSigint = (): void => {
    if (this.signal.aborted) process.exit(CLI_EXIT_CODES.interrupted)
    this.#controller.abort()
    this.#onFirst()
  }
}
