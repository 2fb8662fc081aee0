import { MAX_PLAIN_FRAME_BYTES } from '../contract/limits.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import { parseHostileJson } from './hostile-json.ts'
import { readReturned } from './read-returned.ts'

/** Where a payload stands in a plain frame: in a request's params as `input`, in a result as `result`. */
export type PayloadSlot = 'input' | 'result'

/**
 * Turns the internal form into the plain one: the payload is parsed, as hostile as it is, and put into its slot.
 *
 * @throws PhantomError PAYLOAD_TOO_LARGE, PLUGIN_FAULT for a result or PARSE_ERROR for an input
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
  const holder = envelope as { readonly plugin_id?: unknown }
  const value = slot === 'result' ? readReturned(String(holder.plugin_id), text) : parseHostileJson(text)
  return { ...holder, [slot]: value }
}

/**
 * Turns a plain request into the internal form: takes `input`, of a message its `payload`, out of its params, as bytes that are as hostile as any
 * payload; whoever consumes them finds out. Null where there is none.
 *
 * @throws PhantomError INPUT_INVALID for one that cannot be written again: nested beyond the stack
 */
export function takeInlineInput(message: unknown): Buffer | null {
  const { method, params } = Object(message) as { method?: unknown; params?: unknown }
  const key = method === 'send_plugin_message' ? 'payload' : 'input'
  if (typeof params !== 'object' || params === null || !Object.hasOwn(params, key)) return null
  const holder = params as Partial<Record<string, unknown>>
  const input = holder[key]
  delete holder[key]
  try {
    return Buffer.from(JSON.stringify(input, keepOverflow))
  } catch (error) {
    throw new PhantomError('INPUT_INVALID', 'Cannot read input: it nests too deep. Flatten the data', {
      cause: error,
    })
  }
}

/** In Node since 21 (TC39 JSON.parse source text access); TypeScript 7 does not declare it yet. */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON(text)
}

/** Written as null it would be another value: it stays a number that no double holds, and is refused as that. */
function keepOverflow(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  return rawJson(value > 0 ? '1e999' : '-1e999')
}
