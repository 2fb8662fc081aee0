import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

interface Answer {
  readonly id?: number
  readonly result?: { readonly success: boolean; readonly result: unknown; readonly metadata: object }
  readonly error?: { readonly message: string }
}

/** What the daemon said to one call; more than one answer is one too many. */
export interface CountedCall {
  readonly input: number
  readonly answers: readonly Answer[]
}

/**
 * Keeps so many calls in flight over a socket of its own and counts the answers of each. It shares no code with our
 * client, which could hide an answer that comes twice.
 */
export class CountingClient {
  readonly #socket: Socket
  readonly #answers = new Map<number, Answer[]>()
  readonly #target: { readonly plugin_id: string; readonly operation: string }
  #buffered = ''
  #sent = 0
  #open = 0
  #width = 0

  static async start(
    path: string,
    target: { plugin_id: string; operation: string },
    width: number,
  ): Promise<CountingClient> {
    const socket = createConnection(path)
    await once(socket, 'connect')
    const client = new CountingClient(socket, target)
    client.#width = width
    client.#fill()
    return client
  }

  private constructor(socket: Socket, target: { plugin_id: string; operation: string }) {
    this.#socket = socket
    this.#target = target
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#read(text))
  }

  get answered(): number {
    return this.#sent - this.#open
  }

  get openCount(): number {
    return this.#open
  }

  /** Sends no more; those in flight may still be answered. */
  drain(): void {
    this.#width = 0
  }

  /** Each input once, with whatever was answered. */
  calls(): CountedCall[] {
    return Array.from(this.#answers, ([input, answers]) => ({ input, answers }))
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #fill(): void {
    while (this.#open < this.#width) {
      this.#sent += 1
      this.#open += 1
      this.#answers.set(this.#sent, [])
      const params = { ...this.#target, input: this.#sent }
      this.#socket.write(
        `${JSON.stringify({ jsonrpc: '2.0', id: this.#sent, method: 'execute_plugin', params })}\n`,
      )
    }
  }

  #read(text: string): void {
    const lines = (this.#buffered + text).split('\n')
    this.#buffered = lines.pop()!
    for (const line of lines) this.#note(JSON.parse(line) as Answer)
    this.#fill()
  }

  #note(answer: Answer): void {
    const answers = this.#answers.get(answer.id ?? -1)
    if (answers === undefined) throw new Error(`an answer to nothing: ${JSON.stringify(answer)}`)
    if (answers.length === 0) this.#open -= 1
    answers.push(answer)
  }
}
