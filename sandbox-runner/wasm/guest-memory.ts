import { WASM_PAGE_BYTES } from '../../src/contract/wasm/abi.ts'
import { GuestViolation } from './guest-violation.ts'

/** A plugin's linear memory, of which every range is checked: addresses and lengths are the plugin's word. */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory
  readonly #ownMaximum: number
  #bytes: Buffer

  /** @param ownMaximum pages that the module itself allows */
  constructor(memory: WebAssembly.Memory, ownMaximum: number | null) {
    this.#ownMaximum = ownMaximum ?? Infinity
    this.#memory = memory
    this.#bytes = Buffer.from(memory.buffer)
  }

  get byteLength(): number {
    return this.#now().length
  }

  /** All of it, good until the plugin runs again, when that range lies inside: a view of the range costs 0.3 µs. */
  holding(address: number, length: number, what: string): Buffer {
    const bytes = this.#now()
    if (length > bytes.length || address > bytes.length - length) {
      throw new GuestViolation(
        `${what} lies at ${address} with ${length} bytes, outside of its memory of ${bytes.length}`,
      )
    }
    return bytes
  }

  /**
   * Whether the process's limit would not let it grow by a quarter of what it is. Tried on a memory that nobody uses
   * any more.
   */
  isFull(): boolean {
    const pages = this.byteLength / WASM_PAGE_BYTES
    const more = Math.ceil(pages / 4)
    if (pages + more > this.#ownMaximum) return false
    try {
      this.#memory.grow(more)
      return false
    } catch {
      // RangeError: over --wasm-max-mem-pages, or the kernel gives no more.
      return true
    }
  }

  /** Growing moves the bytes into another buffer, and empties the one from before: asking the memory costs more. */
  #now(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#memory.buffer)
    return this.#bytes
  }
}
