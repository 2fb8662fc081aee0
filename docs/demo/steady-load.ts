import type { PluginSystemApi } from '../../src/index.ts'

const CALLS_IN_FLIGHT = 16

/** Answers by generation and words, as in `generation 1 says "Hello, Ada."`. */
export type Answers = ReadonlyMap<string, number>

/** Calls the greeter without a pause, 16 calls always in flight, and counts what comes back. */
export class SteadyLoad {
  readonly #system: PluginSystemApi
  readonly #answers = new Map<string, number>()
  readonly #callers: Promise<void>[]
  #generation = 0
  #sent = 0
  #answered = 0
  #lost: unknown[] = []
  #isOver = false

  constructor(system: PluginSystemApi) {
    this.#system = system
    this.#callers = Array.from({ length: CALLS_IN_FLIGHT }, () => this.#callOn())
  }

  /** Of the newest answer. */
  get generation(): number {
    return this.#generation
  }

  get answered(): number {
    return this.#answered
  }

  /** Ends when every call has its answer. */
  async end(): Promise<{ sent: number; answered: number; answers: Answers; lost: readonly unknown[] }> {
    this.#isOver = true
    await Promise.all(this.#callers)
    return { sent: this.#sent, answered: this.#answered, answers: this.#answers, lost: this.#lost }
  }

  async #callOn(): Promise<void> {
    while (!this.#isOver) {
      this.#sent += 1
      try {
        const { success, result, error, metadata } = await this.#system.execute_plugin<string>(
          'greeter',
          'greet',
          { name: 'Ada' },
        )
        if (!success) throw new Error(error ?? 'it failed without a word')
        this.#generation = Math.max(this.#generation, metadata.generation)
        const words = `generation ${metadata.generation} says "${result}"`
        this.#answers.set(words, (this.#answers.get(words) ?? 0) + 1)
        this.#answered += 1
      } catch (error) {
        this.#lost.push(error)
        this.#isOver = true
      }
    }
  }
}
