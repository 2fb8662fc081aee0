import type { Duplex } from 'node:stream'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { Connection, type IncomingRequest } from '../../src/rpc/connection.ts'
import type { Outbox } from '../messages/open-outbox.ts'
import { TokenBucket } from '../supervisor/token-bucket.ts'

export interface ChannelEvents {
  readonly maxPayloadBytes: number
  /** Whether a payload that was sent is of no more use. */
  readonly mayFree: (payload: Uint8Array) => boolean
  /** False for what the contract does not allow. */
  readonly onNotification: (method: string, params: unknown) => boolean
  readonly onMessage: Outbox
  readonly onViolation: (what: string) => void
  readonly onClose: (error: PhantomError | null) => void
  readonly onDrain: () => void
}

/**
 * Log lines, progress and messages: each costs the daemon some 10 µs of the time that everybody's calls need. A call may say a lot
 * at once; who goes on like that is not read for a while, and waits.
 */
const MAX_WORDS_PER_SECOND = 4_000
const BURST_WORDS = 2_000
/** Long enough that what wakes the daemon is 200 lines, and not each of them. */
const PAUSE_MS = 50

/** The daemon's end of contract Runner: whoever is at the other one is an attacker. */
export function openChannel(channel: Duplex, events: ChannelEvents): Connection {
  const { onViolation, maxPayloadBytes, mayFree, onClose, onDrain } = events
  const bucket = new TokenBucket({
    burst: BURST_WORDS,
    intervalMs: 1000 / MAX_WORDS_PER_SECOND,
  })
  const connection: Connection = new Connection(channel, {
    maxPayloadBytes,
    mayFree,
    onClose,
    onDrain,
    payloadFrames: true,
    strict: true,
    pauseMs: () => (bucket.take(performance.now()) > 0 ? PAUSE_MS : 0),
    onRequest: (request) => {
      if (request.method !== 'send_message')
        onViolation(`it called "${request.method.slice(0, 80)}" on the host`)
      // What it does not read would pile up here.
      else if (connection.isOverBudget) onViolation('it sends messages and does not read what it is answered')
      else send(connection, request, events.onMessage)
    },
    onNotification: (method, params) => {
      if (!events.onNotification(method, params))
        onViolation(
          `it sent "${method.slice(0, 80)}", which the contract does not know, or not with such params`,
        )
    },
    onStrayAnswer: (id) =>
      onViolation(`it answered a call that was never made (id ${JSON.stringify(id)?.slice(0, 40)})`),
  })
  return connection
}

function send(connection: Connection, { id, params, payload }: IncomingRequest, outbox: Outbox): void {
  try {
    connection.respond(id, outbox(params, payload), null)
  } catch (error) {
    connection.respondError(id, error)
  }
}
