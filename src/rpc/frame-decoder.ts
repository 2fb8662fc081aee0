import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'
import { CanonicalLines } from './canonical-lines.ts'
import { freeMemory } from './free-memory.ts'
import { assertHarmless, parseJson } from './hostile-json.ts'
import { takeInlineInput } from './plain-frames.ts'

/** One message: its JSON line, and the bytes that travelled beside it. */
export type Message = Readonly<Record<string, unknown>>

export interface FrameDecoderOptions {
  maxFrameBytes: number
  maxPayloadBytes: number
  /** Whether a line may announce `payload_bytes`. */
  payloadFrames: boolean
  /** Chunks are nobody else's; otherwise they come in one buffer that is filled anew. */
  ownsChunks: boolean
  /** Where chunks are not owned, a payload must be used before this returns. */
  onFrame(message: Message, payload: Buffer | null): void
  /** Reads lines of a shape that the owner knows, faster than a parser would; null leaves the line to that. */
  readLine?: ((line: string) => Message | null) | undefined
  /** For payloads that come in several chunks; absent: there is room for each. */
  room?: PayloadRoom | undefined
  /** There was no room for its payload, which was read past. */
  onRefusedPayload?: ((message: Message) => void) | undefined
  /** A whole line that says nothing; the stream goes on behind it. `id` is the request's, where it has one. */
  onBadLine(error: PhantomError, id: number | string | null): void
}

/** Counts what has arrived of payloads that are not whole yet, of all peers together. */
export interface PayloadRoom {
  /**
   * Whether there is room for so many more bytes of a payload that has `taken` already; then they are counted, until all
   * of them are given back.
   */
  take(bytes: number, taken: number): boolean
  /** The payload is whole, refused, or its peer is gone. */
  give(bytes: number): void
}

const NEWLINE = 0x0a
/** Chunks of a large payload are of this size; smaller ones are left to garbage collection. */
const FREED_BYTES = 16 * 1024
const EMPTY = Buffer.alloc(0)

/**
 * Cuts a byte stream into frames: a JSON object on one line and, where the line says `"payload_bytes": N`, exactly
 * N raw bytes behind its newline. What it holds is bounded by the two maxima, whatever the peer sends.
 */
export class FrameDecoder {
  readonly #options: FrameDecoderOptions
  readonly #canonical = new CanonicalLines()
  #line: Buffer[] = []
  #lineBytes = 0
  #message: Message | null = null
  #payload: Buffer | null = null
  #payloadFilled = 0
  #isRefused = false
  #isTurnOver = false
  #isClosed = false
  #framesRead = 0

  constructor(options: FrameDecoderOptions) {
    this.#options = options
  }

  /** Frames read so far; together with `isPartial` it tells a slow peer from an idle one. */
  get framesRead(): number {
    return this.#framesRead
  }

  get isPartial(): boolean {
    return this.#lineBytes > 0 || this.#message !== null
  }

  /** Changes what peers may send from the next line on: the handshake does. */
  allow(
    changes: Partial<Pick<FrameDecoderOptions, 'maxFrameBytes' | 'maxPayloadBytes' | 'payloadFrames'>>,
  ): void {
    Object.assign(this.#options, changes)
  }

  /**
   * @param maxFrames how many frames may be read now
   * @returns how many bytes were taken; less than all when that many frames were read, or `endTurn` was called
   * @throws PhantomError PROTOCOL_VIOLATION when the stream cannot be followed any further.
   */
  push(chunk: Buffer, maxFrames = Infinity): number {
    const lastFrame = this.#framesRead + maxFrames
    this.#isTurnOver = false
    let at = 0
    while (at < chunk.length && this.#framesRead < lastFrame && !this.#isTurnOver && !this.#isClosed) {
      at = this.#message === null ? this.#readLine(chunk, at) : this.#readPayload(chunk, at)
    }
    return at
  }

  /** From within `onFrame`: what stands behind that frame is for the next `push`. */
  endTurn(): void {
    this.#isTurnOver = true
  }

  /** Nothing more is read: what of a payload had arrived is let go. */
  close(): void {
    if (!this.#isRefused && this.#payload !== null) this.#options.room?.give(this.#payloadFilled)
    this.#payload = null
    this.#isClosed = true
  }

  #readLine(chunk: Buffer, start: number): number {
    const end = chunk.indexOf(NEWLINE, start)
    const length = (end === -1 ? chunk.length : end) - start
    if (this.#lineBytes + length > this.#options.maxFrameBytes) {
      throw new PhantomError(
        'PROTOCOL_VIOLATION',
        `Cannot read frame: its line is longer than ${this.#options.maxFrameBytes} bytes. ` +
          'End each message with a newline and send large inputs as payload',
      )
    }
    if (end === -1) {
      // A copy: the chunk may be filled anew before the rest of the line is here.
      this.#line.push(Buffer.from(chunk.subarray(start)))
      this.#lineBytes += length
      return chunk.length
    }
    this.#endLine(this.#takeLine(chunk, start, end))
    return end + 1
  }

  #takeLine(chunk: Buffer, start: number, end: number): string {
    if (this.#lineBytes === 0) return chunk.toString('utf8', start, end)
    this.#line.push(chunk.subarray(start, end))
    const line = Buffer.concat(this.#line)
    this.#line = []
    this.#lineBytes = 0
    return line.toString('utf8')
  }

  #endLine(line: string): void {
    if (line.length === 0 || line === '\r') return
    const message = this.#canonical.read(line) ?? this.#options.readLine?.(line) ?? null
    if (message === null) this.#endUncommonLine(line)
    else this.#endMessage(message, null)
  }

  /** By the real parser; a plain request brings its input along. */
  #endUncommonLine(line: string): void {
    let value: unknown = null
    let input: Buffer | null
    try {
      value = parseJson(line)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notAnObject(value)
      input = takeInlineInput(value)
      assertHarmless(value, line)
    } catch (error) {
      if (!isPhantomError(error)) throw error
      this.#options.onBadLine(error, idOf(value))
      return
    }
    this.#endMessage(value as Message, input)
  }

  #endMessage(message: Message, inline: Buffer | null): void {
    const bytes = message['payload_bytes']
    if (bytes !== undefined && inline !== null) {
      throw new PhantomError(
        'PROTOCOL_VIOLATION',
        'Cannot read frame: its input comes twice, in params and as payload. Send one of them',
      )
    }
    if (bytes === undefined) {
      this.#framesRead += 1
      this.#options.onFrame(message, inline)
      return
    }
    this.#checkPayloadBytes(bytes, message['id'])
    this.#message = message
    if (bytes === 0) this.#endPayload(EMPTY)
  }

  #checkPayloadBytes(bytes: unknown, id: unknown): void {
    const { maxPayloadBytes, payloadFrames } = this.#options
    if (!payloadFrames) {
      throw new PhantomError(
        'PROTOCOL_VIOLATION',
        'Cannot read frame: "payload_bytes" before the handshake agreed on payload frames. Send a handshake with "payload_frames": true first',
      )
    }
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0 || (bytes as number) > maxPayloadBytes) {
      throw new PhantomError(
        'PROTOCOL_VIOLATION',
        `Cannot read frame: "payload_bytes" is ${String(bytes).slice(0, 40)}, expected a whole number from 0 to ${maxPayloadBytes}`,
        Number.isSafeInteger(bytes) && Number.isSafeInteger(id)
          ? { details: { id, payload_bytes: bytes } }
          : {},
      )
    }
  }

  #readPayload(chunk: Buffer, start: number): number {
    const total = this.#message!['payload_bytes'] as number
    const available = chunk.length - start
    if (this.#payloadFilled === 0 && available >= total) {
      this.#endPayload(chunk.subarray(start, start + total))
      return start + total
    }
    const taken = Math.min(available, total - this.#payloadFilled)
    if (!this.#isRefused && this.#options.room?.take(taken, this.#payloadFilled) === false)
      this.#refusePayload()
    if (!this.#isRefused) {
      // Pages of a large buffer that nothing was written to cost no memory, so a lie about the length costs nothing.
      this.#payload ??= Buffer.allocUnsafeSlow(total)
      chunk.copy(this.#payload, this.#payloadFilled, start, start + taken)
    }
    this.#payloadFilled += taken
    if (this.#options.ownsChunks && taken >= FREED_BYTES && taken === chunk.length) freeMemory(chunk)
    if (this.#payloadFilled === total) this.#endArrival()
    return start + taken
  }

  /** What came of it is let go, and the rest is read past. */
  #refusePayload(): void {
    this.#isRefused = true
    this.#options.room?.give(this.#payloadFilled)
    if (this.#payload !== null) freeMemory(this.#payload)
    this.#payload = null
  }

  /** Of one that came in several chunks. */
  #endArrival(): void {
    const [message, payload] = [this.#message!, this.#payload]
    if (payload !== null) {
      this.#options.room?.give(payload.length)
      this.#endPayload(payload)
      return
    }
    this.#message = null
    this.#payloadFilled = 0
    this.#isRefused = false
    this.#framesRead += 1
    this.#options.onRefusedPayload?.(message)
  }

  #endPayload(payload: Buffer): void {
    const message = this.#message!
    this.#message = null
    this.#payload = null
    this.#payloadFilled = 0
    this.#framesRead += 1
    this.#options.onFrame(message, payload)
  }
}

function notAnObject(value: unknown): PhantomError {
  const found = Array.isArray(value)
    ? 'an array; batches are not part of this protocol, send one request a line'
    : String(JSON.stringify(value)).slice(0, 80)
  return new PhantomError(
    'REQUEST_INVALID',
    `Cannot read message: expected one JSON object a line, found ${found}`,
  )
}

function idOf(value: unknown): number | string | null {
  const id = (value as { id?: unknown } | null)?.id
  return typeof id === 'number' || typeof id === 'string' ? id : null
}
