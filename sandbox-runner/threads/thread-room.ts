/**
 * What a thread gives back for sure when it ends: V8's range for its code. Its stack and what an allocator keeps may
 * stay for the next one, and count meanwhile.
 */
const GIVEN_BACK_BYTES = 62 * 1024 * 1024

/**
 * Room for the addresses that threads reserve. RLIMIT_DATA counts them, so it leaves room for each thread that is
 * declared, and a plugin that starts none could fill it. So it is taken: memory that nobody writes to, which counts and
 * holds nothing, stands in for each thread that does not run.
 */
export class ThreadRoom {
  /** One for each thread that does not run; of those that have run once the last ones. */
  readonly #taken: ArrayBuffer[]
  readonly #givenBackBytes: number

  /** @throws RangeError where there is less room than was said */
  constructor(threads: number, threadBytes: number) {
    this.#taken = Array.from({ length: threads }, () => new ArrayBuffer(threadBytes))
    this.#givenBackBytes = Math.min(GIVEN_BACK_BYTES, threadBytes)
  }

  /** For a thread that starts now. */
  leave(): void {
    // The kernel has it back at once, not when it is collected.
    this.#taken.pop()?.transfer(0)
  }

  /** That of a thread that has ended. @returns whether it was still there */
  take(): boolean {
    try {
      this.#taken.push(new ArrayBuffer(this.#givenBackBytes))
      return true
    } catch {
      return false
    }
  }
}
