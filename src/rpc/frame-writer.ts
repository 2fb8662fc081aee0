import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { freeMemory } from './free-memory.ts'

const BATCH_BYTES = 64 * 1024
/** A payload above this goes out as its own chunk, uncopied. */
const COPY_LIMIT_BYTES = 16 * 1024
/** Payloads from here on are worth giving back by hand. */
const FREED_BYTES = 1024 * 1024

/**
 * Puts frames on a stream. Everything sent in one turn of the event loop leaves in one write: with many calls in
 * flight that is most of the cost of a small call.
 */
export class FrameWriter {
  readonly #stream: Duplex
  readonly #mayFree: (payload: Uint8Array) => boolean
  /** Other streams hand the same bytes on, so they never serve twice there. */
  readonly #isSocket: boolean
  /** The buffer being filled, from where it was last sent; null when it is full. */
  #batch: Buffer | null = null
  #whole: Buffer | null = null
  #filled = 0
  #chunks: Uint8Array[] = []
  #waitingBytes = 0
  #scheduled = false
  readonly #flush = (): void => this.flush()

  /** @param mayFree whether a payload is nobody's any more once it is written */
  constructor(stream: Duplex, mayFree: (payload: Uint8Array) => boolean = () => false) {
    this.#stream = stream
    this.#mayFree = mayFree
    this.#isSocket = stream instanceof Socket
  }

  /** Bytes accepted and not yet taken by the kernel. */
  get pendingBytes(): number {
    return this.#waitingBytes + this.#filled + this.#stream.writableLength
  }

  /** `line` ends with its newline. A payload that is text goes out as UTF-8. */
  send(line: string, payload: Uint8Array | string | null): void {
    this.#append(line)
    if (typeof payload === 'string') this.#append(payload)
    else if (payload !== null && payload.length > 0) this.#appendPayload(payload)
    if (this.#scheduled) return
    this.#scheduled = true
    // After the callback that is running, or after all promise jobs: either way behind its last send().
    process.nextTick(this.#flush)
  }

  flush(): void {
    this.#scheduled = false
    this.#closeBatch()
    const chunks = this.#chunks
    if (chunks.length === 0) return
    this.#chunks = []
    this.#waitingBytes = 0
    if (this.#stream.destroyed || this.#stream.writableEnded) return
    if (chunks.length === 1) {
      this.#write(chunks[0]!)
    } else {
      this.#stream.cork()
      for (const chunk of chunks) this.#write(chunk)
      this.#stream.uncork()
    }
    // The kernel has copied it all: nothing reads these bytes any more, and the buffer serves again.
    if (this.#isSocket && this.#stream.writableLength === 0) this.#batch = this.#whole
  }

  #write(chunk: Uint8Array): void {
    if (chunk.length < FREED_BYTES || !this.#mayFree(chunk)) this.#stream.write(chunk)
    else this.#stream.write(chunk, () => freeMemory(chunk))
  }

  #append(line: string): void {
    const mostBytes = line.length * 3
    if (mostBytes > BATCH_BYTES) {
      this.#appendChunk(Buffer.from(line, 'utf8'))
      return
    }
    const batch = this.#room(mostBytes)
    this.#filled += batch.write(line, this.#filled)
  }

  #appendPayload(payload: Uint8Array): void {
    if (payload.length > COPY_LIMIT_BYTES) {
      this.#appendChunk(payload)
      return
    }
    const batch = this.#room(payload.length)
    batch.set(payload, this.#filled)
    this.#filled += payload.length
  }

  #appendChunk(chunk: Uint8Array): void {
    this.#closeBatch()
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
  }

  #room(bytes: number): Buffer {
    if (this.#batch !== null && this.#filled + bytes > this.#batch.length) {
      this.#closeBatch()
      this.#batch = null
    }
    this.#batch ??= this.#whole = Buffer.allocUnsafeSlow(BATCH_BYTES)
    return this.#batch
  }

  /** What was handed to the stream may be read by the kernel later, so until then its bytes stay as they are. */
  #closeBatch(): void {
    if (this.#batch === null || this.#filled === 0) return
    this.#chunks.push(this.#batch.subarray(0, this.#filled))
    this.#waitingBytes += this.#filled
    this.#batch =
      this.#batch.length - this.#filled < BATCH_BYTES / 4 ? null : this.#batch.subarray(this.#filled)
    this.#filled = 0
  }
}
