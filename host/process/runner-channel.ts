import type { Duplex } from 'node:stream'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { Connection } from '../../src/rpc/connection.ts'

export interface ChannelEvents {
  readonly maxPayloadBytes: number
  /** Whether a payload that was sent is of no more use. */
  readonly mayFree: (payload: Uint8Array) => boolean
  /** False for what the contract does not allow. */
  readonly onNotification: (method: string, params: unknown) => boolean
  readonly onViolation: (what: string) => void
  readonly onClose: (error: PhantomError | null) => void
  readonly onDrain: () => void
}

/** The daemon's end of contract Runner: whoever is at the other one is an attacker. */
export function openChannel(channel: Duplex, events: ChannelEvents): Connection {
  const { onViolation, maxPayloadBytes, mayFree, onClose, onDrain } = events
  return new Connection(channel, {
    maxPayloadBytes,
    mayFree,
    onClose,
    onDrain,
    payloadFrames: true,
    strict: true,
    onRequest: (request) => onViolation(`it called "${String(request.method).slice(0, 80)}" on the host`),
    onNotification: (method, params) => {
      if (!events.onNotification(method, params))
        onViolation(`it sent "${method.slice(0, 80)}" with params that the contract does not allow`)
    },
    onStrayAnswer: (id) =>
      onViolation(`it answered a call that was never made (id ${JSON.stringify(id)?.slice(0, 40)})`),
  })
}
