import type { RunnerRequests } from '../../src/contract/runner-methods.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { SentMessage } from '../../src/contract/messages.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { TokenBucket } from '../supervisor/token-bucket.ts'
import type { MessageRouter } from './message-router.ts'

/** Of one process. Two plugins that only answer each other keep no more than a part of a processor busy. */
const MAX_MESSAGES_PER_SECOND = 1_000
const PARAMS = ['recipient', 'type'] as const satisfies (keyof RunnerRequests['send_message']['params'])[]

/** @throws PhantomError PARAMS_INVALID, and what refuses the message */
export type Outbox = (params: unknown, payload: Buffer | null) => SentMessage

/** Sends what one process wants sent: in its plugin's name, whatever it says. */
export function openOutbox(router: MessageRouter, { plugin, workspace }: InstanceLane): Outbox {
  const bucket = new TokenBucket({
    burst: MAX_MESSAGES_PER_SECOND,
    intervalMs: 1000 / MAX_MESSAGES_PER_SECOND,
  })
  return (params, payload) => {
    const [recipient, type] = readParams(params)
    const waitMs = bucket.take(performance.now())
    if (waitMs > 0) throw tooMany(recipient, waitMs)
    const { id: sender, caller } = plugin
    return router.send({ sender, origin: 'plugin', recipient, type, payload, workspace, caller })
  }
}

function readParams(params: unknown): [recipient: string, type: string] {
  const found = Object(params) as Record<string, unknown>
  const unknown = Object.keys(found).find((key) => !PARAMS.some((known) => known === key))
  const [recipient, type] = PARAMS.map((key) => found[key])
  if (unknown === undefined && isName(recipient) && isName(type)) return [recipient, type]
  throw new PhantomError(
    'PARAMS_INVALID',
    'Cannot call "send_message": expected the params {"recipient": text, "type": text} of at most 128 characters each, ' +
      'and the message as payload. See docs/runner-protocol.md',
  )
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 128
}

function tooMany(recipient: string, waitMs: number): PhantomError {
  return new PhantomError(
    'QUEUE_FULL',
    `Cannot send to "${recipient.slice(0, 80)}": this process sent more than ${MAX_MESSAGES_PER_SECOND} messages in a second. ` +
      `Try again in ${waitMs} ms`,
    { details: { limit: MAX_MESSAGES_PER_SECOND, retry_in_ms: waitMs } },
  )
}
