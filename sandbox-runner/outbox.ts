import type { SentMessage } from '../src/contract/messages.ts'
import { fromWireError, PhantomError } from '../src/contract/phantom-error.ts'
import type { Connection, Payload } from '../src/rpc/connection.ts'
import { toJsonText } from '../src/rpc/hostile-json.ts'

/** Has the host pass on what the plugin wants to tell others. */
export class Outbox {
  readonly #connection: Connection
  readonly #maxPayloadBytes: number

  constructor(connection: Connection, maxPayloadBytes: number) {
    this.#connection = connection
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /** @throws TypeError for what is no message */
  async send(recipient: unknown, type: unknown, payload: unknown): Promise<SentMessage> {
    if (typeof recipient !== 'string' || typeof type !== 'string') {
      const found = typeof (typeof recipient === 'string' ? type : recipient)
      throw new TypeError(
        `Cannot send a message: expected the recipient's id and a type, both texts, found ${found}`,
      )
    }
    return await this.sendText(recipient, type, payload === undefined ? null : toJsonText(payload))
  }

  /** @param payload JSON, as it travels */
  sendText(recipient: string, type: string, payload: Payload): Promise<SentMessage> {
    const measured = payload === null ? 0 : Buffer.byteLength(payload)
    // The host would take more for a breach of the protocol.
    if (measured > this.#maxPayloadBytes)
      return Promise.reject(tooLarge(type, this.#maxPayloadBytes, measured))
    return new Promise((resolve, reject) => {
      this.#connection.request('send_message', { recipient, type }, payload, (answer) => {
        if (answer.error === null) resolve(answer.result as SentMessage)
        else reject(fromWireError(answer.error))
      })
    })
  }
}

function tooLarge(type: string, limit: number, measured: number): PhantomError {
  return new PhantomError(
    'PAYLOAD_TOO_LARGE',
    `Cannot send "${type.slice(0, 80)}": its payload is ${measured} bytes of JSON, at most ${limit} are allowed`,
    { details: { limit, measured } },
  )
}
