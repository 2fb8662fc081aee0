import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

const PATIENCE_MS = 15_000
const NEWLINE = 0x0a

/** A message of the daemon, with the bytes that travelled beside it. */
export interface RawMessage {
  readonly id?: number | string | null
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: unknown
  readonly error?: {
    readonly code: number
    readonly message: string
    readonly data?: { readonly name: string }
  }
  readonly payload?: string
}

/** A client written from the protocol's document alone: it shares no code with ours. */
export class RawClient {
  readonly socket: Socket
  readonly messages: RawMessage[] = []
  readonly closed: Promise<void>
  #buffered: Buffer = Buffer.alloc(0)
  #watchers: (() => void)[] = []
  #isClosed = false

  static async open(path: string): Promise<RawClient> {
    const socket = createConnection(path)
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    // EPIPE and ECONNRESET: the daemon refused us, and 'close' tells.
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    void this.closed.then(() => {
      this.#isClosed = true
      this.#wake()
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  send(...texts: (string | Buffer)[]): void {
    for (const text of texts) this.socket.write(text)
  }

  /** Sends a request in one plain line and waits for its answer. */
  async request(
    method: string,
    params: object = {},
    id: number | string = `${method}-${Math.random()}`,
  ): Promise<RawMessage> {
    this.send(line({ id, method, params }))
    return await this.answer(id)
  }

  /** Sends a call with its input beside the envelope. */
  sendFrame(message: object, payload: string): void {
    const bytes = Buffer.from(payload)
    this.send(line({ ...message, payload_bytes: bytes.length }), bytes)
  }

  async handshake(options: object = { payload_frames: true }): Promise<RawMessage> {
    return await this.request('handshake', { protocol_version: '1.0', ...options })
  }

  async answer(id: number | string | null): Promise<RawMessage> {
    return await this.next(
      (message) => message.id === id && message.method === undefined,
      `an answer to ${id}`,
    )
  }

  async next(isIt: (message: RawMessage) => boolean, what: string): Promise<RawMessage> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const wake = (): void => this.#wake()
    signal.addEventListener('abort', wake)
    for (;;) {
      const found = this.messages.find(isIt)
      if (found !== undefined) return found
      if (this.#isClosed)
        throw new Error(`the daemon closed the connection before ${what}: ${this.#lastWords()}`)
      if (signal.aborted) throw new Error(`waited in vain for ${what}: ${this.#lastWords()}`)
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
    }
  }

  destroy(): void {
    this.socket.destroy()
  }

  #lastWords(): string {
    return JSON.stringify(this.messages.slice(-3)).slice(0, 1000)
  }

  #read(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    for (;;) {
      const end = this.#buffered.indexOf(NEWLINE)
      if (end === -1) break
      const envelope = JSON.parse(this.#buffered.toString('utf8', 0, end)) as RawMessage & {
        payload_bytes?: number
      }
      const behind = end + 1 + (envelope.payload_bytes ?? 0)
      if (this.#buffered.length < behind) break
      const payload = this.#buffered.toString('utf8', end + 1, behind)
      this.messages.push(envelope.payload_bytes === undefined ? envelope : { ...envelope, payload })
      this.#buffered = this.#buffered.subarray(behind)
    }
    this.#wake()
  }

  #wake(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }
}

/** One JSON-RPC message as a line. */
export function line(message: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`
}

/** The result of an `execute_plugin`, however it travelled. */
export function resultOf({ result, payload }: RawMessage): unknown {
  return payload === undefined ? (result as { result: unknown }).result : JSON.parse(payload)
}
