import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { PayloadRoom } from '../../src/rpc/frame-decoder.ts'

/** All clients' open calls together hold at most this many of the largest payloads, and the one that fills it. */
const HELD_PAYLOADS = 4

/**
 * How much input the open calls of all clients hold, and what has arrived of those that are on their way: each client's own
 * bound is no bound for hundreds of them.
 */
export class HeldInput implements PayloadRoom {
  readonly #limitBytes: number
  #bytes = 0

  constructor(maxPayloadBytes: number) {
    this.#limitBytes = HELD_PAYLOADS * maxPayloadBytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#limitBytes
  }

  /** Less than nothing when a call has its answer. */
  add(bytes: number): void {
    this.#bytes += bytes
  }

  /** What the others hold decides, as for a whole one. */
  take(bytes: number, taken: number): boolean {
    if (this.#bytes - taken >= this.#limitBytes) return false
    this.add(bytes)
    return true
  }

  give(bytes: number): void {
    this.add(-bytes)
  }

  fullError(): PhantomError {
    return new PhantomError(
      'QUEUE_FULL',
      `Cannot take this call's input: the open calls of all clients hold ${this.#bytes} bytes of input, and ` +
        `${HELD_PAYLOADS} times limits.max_payload_mb (${this.#limitBytes} bytes) is the most. Try again later`,
      { details: { held: this.#bytes, limit: this.#limitBytes } },
    )
  }
}
