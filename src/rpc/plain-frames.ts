import { MAX_PLAIN_FRAME_BYTES } from '../contract/limits.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import { parseHostileJson } from './hostile-json.ts'

/** Where a payload stands in a plain frame: in a request's params as `input`, in a result as `result`. */
export type PayloadSlot = 'input' | 'result'

/**
 * Turns the internal form into the plain one: the payload is parsed, as hostile as it is, and put into its slot.
 *
 * @throws PhantomError PAYLOAD_TOO_LARGE or PARSE_ERROR
 */
export function inlinePayload(envelope: unknown, slot: PayloadSlot, payload: Uint8Array | string): object {
  if (payload.length > MAX_PLAIN_FRAME_BYTES) {
    throw new PhantomError(
      'PAYLOAD_TOO_LARGE',
      `Cannot put ${payload.length} bytes into a plain frame: it holds ${MAX_PLAIN_FRAME_BYTES}. ` +
        'Agree on payload frames in the handshake',
      { details: { limit: MAX_PLAIN_FRAME_BYTES, measured: payload.length } },
    )
  }
  const text =
    typeof payload === 'string'
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8')
  return { ...(envelope as object), [slot]: parseHostileJson(text) }
}

/** Turns a plain request into the internal form: takes `input` out of the params, as bytes. */
export function takeInlineInput(params: unknown): Buffer | null {
  if (typeof params !== 'object' || params === null || !Object.hasOwn(params, 'input')) return null
  const holder = params as { input?: unknown }
  const payload = Buffer.from(JSON.stringify(holder.input))
  delete holder.input
  return payload
}
