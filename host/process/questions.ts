import type { Answer } from '../../src/rpc/connection.ts'

/** Questions beside calls that a process may leave open. */
const MAX_UNANSWERED = 64

/** What a process is asked beside its calls, and need not ever answer. */
export class Questions {
  #unanswered = 0

  /** Null when there is no answer in time. */
  ask(timeoutMs: number, send: (answered: (answer: Answer) => void) => void): Promise<Answer | null> {
    // One that answers nothing must not be asked without end: each question stays open as long as the process.
    if (this.#unanswered >= MAX_UNANSWERED) return Promise.resolve(null)
    this.#unanswered += 1
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeoutMs)
      send((answer) => {
        this.#unanswered -= 1
        clearTimeout(timer)
        resolve(answer)
      })
    })
  }
}
