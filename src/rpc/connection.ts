import type { Duplex } from 'node:stream'
import {
  FRAME_TIMEOUT_MS,
  MAX_FRAME_BYTES,
  MAX_PLAIN_FRAME_BYTES,
  SEND_BUDGET_BYTES,
} from '../contract/limits.ts'
import { isPhantomError, PhantomError, toWireError, type WireError } from '../contract/phantom-error.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { afterTurn } from './after-turn.ts'
import {
  closedError,
  halfFrame,
  isAnswer,
  lostStream,
  misshapen,
  misshapenAnswer,
  readWireError,
  slowFrame,
} from './connection-errors.ts'
import { FrameDecoder, type Message } from './frame-decoder.ts'
import { FrameWriter } from './frame-writer.ts'
import { closeAfterLastWords, closeAfterRefusal } from './last-words.ts'
import { IdTable } from './id-table.ts'
import { inlinePayload } from './plain-frames.ts'

/** A peer that sends more of these does not speak our language. */
const MAX_BAD_LINES = 100

export type RequestId = number | string

/** Bytes, or text that travels as UTF-8; null where a message has none. */
export type Payload = Uint8Array | string | null

export interface IncomingRequest {
  readonly id: RequestId
  readonly method: string
  readonly params: unknown
  readonly payload: Buffer | null
}

/** What a peer answered: an error object, or a result with its payload. */
export type Answer =
  | { readonly error: WireError }
  | { readonly error: null; readonly result: unknown; readonly payload: Buffer | null }

/**
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification, no batches) over one stream, both ways. Knows frames, ids
 * and answers; knows neither processes nor methods. Callbacks, not promises: this is the hot path of all three
 * processes.
 */
export class Connection {
  readonly #stream: Duplex
  readonly #options: ConnectionOptions
  readonly #decoder: FrameDecoder
  readonly #writer: FrameWriter
  readonly #pending = new IdTable<(answer: Answer) => void>()
  #nextId = 1
  #closed = false
  #payloadFrames: boolean
  #watch: NodeJS.Timeout | null = null
  #watchedFrame = 0
  #isBehind = false
  #isHeldByOwner = false
  /** What arrived and has to wait for its turn; nothing more is read meanwhile. */
  #rest: Buffer | null = null
  #pauseMs = 0
  #hasLastWords = false
  #cancelTurn: (() => void) | null = null
  #badLines = 0

  constructor(stream: Duplex, options: ConnectionOptions) {
    this.#stream = stream
    this.#options = options
    this.#payloadFrames = options.payloadFrames
    this.#writer = new FrameWriter(stream, options.mayFree)
    this.#decoder = new FrameDecoder({
      maxFrameBytes:
        options.payloadFrames && options.takesLongLines !== true ? MAX_FRAME_BYTES : MAX_PLAIN_FRAME_BYTES,
      maxPayloadBytes: options.maxPayloadBytes,
      payloadFrames: options.payloadFrames,
      ownsChunks: options.pushesChunks !== true,
      readLine: options.readLine,
      room: options.room,
      onFrame: (message, payload) => this.#receive(message, payload),
      onRefusedPayload: (message) => this.#receiveRefused(message),
      onBadLine: (error, id) => this.#receiveBadLine(error, id),
    })
    if (!options.pushesChunks) stream.on('data', (chunk: Buffer) => this.receive(chunk))
    stream.on('drain', () => this.#drained())
    stream.on('error', (error) => this.#end(lostStream(error)))
    stream.on('close', () => this.#end(null))
  }

  get isClosed(): boolean {
    return this.#closed
  }

  get usesPayloadFrames(): boolean {
    return this.#payloadFrames
  }

  /** Requests of ours that the peer has not answered. */
  get pendingRequests(): number {
    return this.#pending.size
  }

  get isOverBudget(): boolean {
    return this.#writer.pendingBytes > SEND_BUDGET_BYTES
  }

  /** Agreed by the handshake: from the next frame on, payloads travel beside their envelope. */
  usePayloadFrames(): void {
    this.#payloadFrames = true
    this.#decoder.allow({
      payloadFrames: true,
      ...(this.#options.takesLongLines ? {} : { maxFrameBytes: MAX_FRAME_BYTES }),
    })
  }

  /** From the next frame on. What the peer announces beyond it ends the connection before a byte of it is kept. */
  limitPayloads(maxPayloadBytes: number): void {
    this.#decoder.allow({ maxPayloadBytes })
  }

  /**
   * Sends a request; `onAnswer` is called exactly once, with DAEMON_LOST's wire form if the stream ends first.
   *
   * @param params an object, or its JSON text
   * @param payload bytes, or text that is sent as UTF-8
   */
  request(
    method: string,
    params: object | string,
    payload: Payload,
    onAnswer: (answer: Answer) => void,
  ): number {
    const id = this.#nextId++
    if (this.#closed) {
      onAnswer({ error: toWireError(closedError()) })
      return id
    }
    this.#pending.set(id, onAnswer)
    const head = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":`
    const text = typeof params === 'string' ? params : JSON.stringify(params)
    if (payload === null || this.#payloadFrames) this.#send(head + text, payload)
    else this.#send(head + JSON.stringify(inlinePayload(JSON.parse(text), 'input', payload)), null)
    return id
  }

  notify(method: string, params: unknown): void {
    if (this.#closed) return
    this.#send(`{"jsonrpc":"2.0","method":"${method}","params":${JSON.stringify(params)}`, null)
  }

  /** @param result an object or null, or the JSON text of either */
  respond(id: RequestId, result: unknown, payload: Payload): void {
    if (this.#closed) return
    const head = `{"jsonrpc":"2.0","id":${typeof id === 'number' ? id : JSON.stringify(id)},"result":`
    if (payload === null || this.#payloadFrames) {
      this.#send(head + (typeof result === 'string' ? result : JSON.stringify(result)), payload)
      return
    }
    try {
      const value: unknown = typeof result === 'string' ? JSON.parse(result) : result
      this.#send(head + JSON.stringify(inlinePayload(value, 'result', payload)), null)
    } catch (error) {
      this.respondError(id, error)
    }
  }

  respondError(id: RequestId | null, error: unknown): void {
    this.respondWireError(id, toWireError(error))
  }

  respondWireError(id: RequestId | null, error: WireError): void {
    if (this.#closed) return
    this.#send(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(error)}`, null)
  }

  /** Stops and restarts reading: how a byte budget of the owner reaches the peer. */
  pauseReading(): void {
    this.#isHeldByOwner = true
    this.#stream.pause()
  }

  resumeReading(): void {
    this.#isHeldByOwner = false
    this.#resumeIfFree()
  }

  /** The peer's process has ended: its last notifications are taken as they come, before its end is told. */
  takeLastWords(): void {
    this.#hasLastWords = true
    if (this.#cancelTurn === null) return
    this.#cancelTurn()
    this.#takeRest()
  }

  /** Sends what waits, as far as the peer takes it soon, then closes. */
  end(): void {
    this.#writer.flush()
    this.#end(null)
  }

  /** Closes at once; pending requests are answered with `error`. */
  destroy(error: PhantomError | null = null): void {
    this.#end(error)
  }

  #send(head: string, payload: Payload): void {
    if (payload === null) {
      this.#writer.send(`${head}}\n`, null)
    } else {
      const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
      this.#writer.send(`${head},"payload_bytes":${bytes}}\n`, payload)
    }
    if (this.#options.pausesWhenBehind === true && !this.#isBehind && this.isOverBudget) {
      this.#isBehind = true
      this.#stream.pause()
    }
  }

  #drained(): void {
    this.#isBehind = false
    this.#resumeIfFree()
    this.#options.onDrain?.()
  }

  #resumeIfFree(): void {
    if (this.#isBehind || this.#isHeldByOwner || this.#rest !== null) return
    if (this.#stream.isPaused()) this.#stream.resume()
  }

  /** Takes what arrived. The bytes may be overwritten when this returns. */
  receive(chunk: Buffer): void {
    if (this.#closed) return
    this.#pauseMs = 0
    try {
      const taken = this.#decoder.push(chunk, this.#options.framesPerTurn)
      if (taken < chunk.length || this.#pauseMs > 0) this.#waitTurn(chunk.subarray(taken))
    } catch (error) {
      if (!isPhantomError(error)) throw error
      this.#refuse(error)
      return
    }
    if (this.#decoder.isPartial && this.#watch === null) this.#watchPartialFrame()
  }

  /** What other peers have sent is read in between: one that floods does not make them wait for all it has sent. */
  #waitTurn(rest: Buffer): void {
    if (this.#closed) return
    this.#rest = rest
    this.#stream.pause()
    this.#cancelTurn = afterTurn(this.#pauseMs, () => this.#takeRest())
  }

  #takeRest(): void {
    const rest = this.#rest
    this.#cancelTurn = null
    this.#rest = null
    if (rest !== null) this.receive(rest)
    this.#resumeIfFree()
  }

  /** One timer at most, and none per frame: it looks whether the frame it saw begin is still the same one. */
  #watchPartialFrame(): void {
    this.#watchedFrame = this.#decoder.framesRead
    this.#watch = setTimeout(() => {
      this.#watch = null
      if (this.#closed || !this.#decoder.isPartial) return
      if (this.#decoder.framesRead !== this.#watchedFrame || this.#stream.isPaused()) {
        this.#watchPartialFrame()
        return
      }
      this.#refuse(slowFrame())
    }, FRAME_TIMEOUT_MS)
    this.#watch.unref()
  }

  /** The peer sends nothing any more: half a frame stays half. What was asked before it is still answered. */
  endInput(): void {
    if (this.#watch !== null) clearTimeout(this.#watch)
    if (this.#decoder.isPartial) this.respondError(null, halfFrame())
  }

  #refuse(error: PhantomError): void {
    this.respondError(null, error)
    this.#writer.flush()
    this.#end(error, closeAfterRefusal)
  }

  #receiveBadLine(error: PhantomError, id: RequestId | null): void {
    this.#badLines += 1
    if (this.#badLines > MAX_BAD_LINES) {
      const message = `Cannot follow the peer: more than ${MAX_BAD_LINES} lines said nothing`
      throw new PhantomError('PROTOCOL_VIOLATION', message)
    }
    if (this.#options.strict) {
      throw new PhantomError('PROTOCOL_VIOLATION', `Cannot follow the peer: ${error.message}`, {
        cause: error,
      })
    }
    this.respondError(id, error)
  }

  #receive(message: Message, payload: Buffer | null): void {
    if (this.#closed) return
    const method = message['method']
    if (method === undefined) this.#receiveAnswer(message, payload)
    else this.#receiveCall(message, method, payload)
  }

  #receiveCall(message: Message, method: unknown, payload: Buffer | null): void {
    const id = message['id']
    const hasId = typeof id === 'number' || typeof id === 'string'
    if (typeof method !== 'string' || (id !== undefined && !hasId) || message['jsonrpc'] !== '2.0') {
      this.#receiveMisshapen(hasId ? id : null)
      return
    }
    const params = message['params'] ?? {}
    if (!this.#hasLastWords) this.#pauseMs = this.#options.pauseMs?.() ?? 0
    if (this.#pauseMs > 0) this.#decoder.endTurn()
    if (hasId) this.#options.onRequest({ id, method, params, payload })
    else this.#options.onNotification(method, params)
  }

  /** Who sent no request hears nothing of it. */
  #receiveRefused({ id, method, params = {} }: Message): void {
    const isRequest = (typeof id === 'number' || typeof id === 'string') && typeof method === 'string'
    if (isRequest && !this.#closed) this.#options.onRefusedPayload?.({ id, method, params, payload: null })
  }

  #receiveMisshapen(id: RequestId | null): void {
    const error = misshapen()
    if (this.#options.strict) throw new PhantomError('PROTOCOL_VIOLATION', error.message)
    this.respondError(id, error)
  }

  #receiveAnswer(message: Message, payload: Buffer | null): void {
    const id = message['id'] as number
    if (this.#options.strict && !isAnswer(message)) throw misshapenAnswer()
    const error = message['error'] === undefined ? null : readWireError(message['error'])
    const onAnswer = Number.isSafeInteger(id) && id >= 0 ? this.#pending.get(id) : undefined
    if (onAnswer === undefined) {
      this.#options.onStrayAnswer?.(id, error)
      return
    }
    this.#pending.delete(id)
    onAnswer(error === null ? { error, result: message['result'], payload } : { error })
  }

  #end(error: PhantomError | null, close = closeAfterLastWords): void {
    if (this.#closed) return
    this.#closed = true
    this.#decoder.close()
    if (this.#watch !== null) clearTimeout(this.#watch)
    this.#cancelTurn?.()
    close(this.#stream)
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    const answer: Answer = { error: toWireError(error ?? closedError()) }
    for (const onAnswer of pending) onAnswer(answer)
    this.#options.onClose(error)
  }
}
