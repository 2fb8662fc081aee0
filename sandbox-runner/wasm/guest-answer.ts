import type { ErrorDetails, WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS, type RunnerErrorName } from '../../src/contract/runner-methods.ts'
import { runnerError, tooLarge } from '../runner-error.ts'
import { quoted, type ReadFrame } from './guest-frame.ts'
import { GuestViolation } from './guest-violation.ts'

/** What a plugin answered, or why it did not. */
export type GuestAnswer =
  | { readonly error: WireError }
  | { readonly error: null; readonly result: unknown; readonly payload: Buffer | null }

const ERROR_NAMES = new Map(
  Object.entries(RUNNER_ERRORS).map(([name, code]) => [code, name as RunnerErrorName]),
)

/** @throws GuestViolation for what is no answer to that request */
export function readGuestAnswer(
  { message, payload }: ReadFrame,
  { id, method }: { readonly id: number; readonly method: string },
  maxPayloadBytes: number,
): GuestAnswer {
  if (message['jsonrpc'] !== '2.0' || message['method'] !== undefined || message['id'] !== id) {
    const found = message['method'] === undefined ? `id ${quoted(message['id'])}` : 'a call of its own'
    throw new GuestViolation(`it answered with ${found} where id ${id} was asked`)
  }
  const { error, result } = message
  if (error !== undefined && result !== undefined)
    throw new GuestViolation('its answer has both result and error')
  if (error !== undefined) return { error: readError(error) }
  if (result === undefined) throw new GuestViolation('its answer has neither result nor error')
  if (method === 'execute' && result !== null)
    throw new GuestViolation('its answer has the result in its line; one goes behind it, as payload')
  const { payload_bytes: bytes } = message
  if (typeof bytes === 'number' && bytes > maxPayloadBytes)
    return { error: tooLarge(`${bytes} bytes`, maxPayloadBytes, bytes) }
  return { error: null, result, payload }
}

/** A code that the contract does not know is the plugin's own failure, as in every runtime. */
function readError(value: unknown): WireError {
  if (typeof value !== 'object' || value === null) {
    throw new GuestViolation(`its error is ${quoted(value)}, expected {"code":number,"message":string}`)
  }
  const { code, message, data } = value as { code?: unknown; message?: unknown; data?: unknown }
  if (typeof code !== 'number' || typeof message !== 'string') {
    throw new GuestViolation('its error lacks a number "code" or a text "message"')
  }
  return runnerError(ERROR_NAMES.get(code as never) ?? 'fault', message, readDetails(data))
}

function readDetails(data: unknown): ErrorDetails {
  const details = (data as { details?: unknown } | null | undefined)?.details
  return typeof details === 'object' && details !== null && !Array.isArray(details)
    ? (details as ErrorDetails)
    : {}
}
