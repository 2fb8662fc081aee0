import { FRAME_TIMEOUT_MS } from '../contract/limits.ts'
import { PhantomError, type WireError } from '../contract/phantom-error.ts'
import type { Message } from './frame-decoder.ts'

export function closedError(): PhantomError {
  return new PhantomError('DAEMON_LOST', 'Cannot reach the peer: the connection is closed. Connect again')
}

export function lostStream(error: Error): PhantomError {
  return new PhantomError('DAEMON_LOST', `Cannot reach the peer: ${error.message}. Connect again`, {
    cause: error,
  })
}

export function halfFrame(): PhantomError {
  return new PhantomError(
    'PROTOCOL_VIOLATION',
    'Cannot read frame: the stream ended before its newline. End each message with a newline',
  )
}

export function misshapen(): PhantomError {
  return new PhantomError(
    'REQUEST_INVALID',
    'Cannot read message: expected {"jsonrpc":"2.0","id":number or string,"method":string,"params":{…}}, or the same without id',
  )
}

/** Whether what came is an answer as it is written: with a result or an error, and not with both. */
export function isAnswer({ jsonrpc, result, error }: Message): boolean {
  return jsonrpc === '2.0' && (result === undefined) !== (error === undefined)
}

export function misshapenAnswer(): PhantomError {
  return new PhantomError(
    'PROTOCOL_VIOLATION',
    'Cannot read answer: expected {"jsonrpc":"2.0","id":number} with either "result" or "error"',
  )
}

export function slowFrame(): PhantomError {
  return new PhantomError(
    'PROTOCOL_VIOLATION',
    `Cannot read frame: it is not whole ${FRAME_TIMEOUT_MS / 1000} s after it began. Send each frame at once`,
  )
}

/** An error object of a peer, made safe to hold: a message that is text and a number that is one. */
export function readWireError(error: unknown): WireError {
  const { code, message, data } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Partial<WireError>
  return {
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' && message !== '' ? message : 'an error without a message',
    ...(typeof data === 'object' && data !== null ? { data } : {}),
  }
}
