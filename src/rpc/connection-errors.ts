import { FRAME_TIMEOUT_MS } from '../contract/limits.ts'
import { PhantomError, type WireError } from '../contract/phantom-error.ts'

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
    message: typeof message === 'string' ? message : 'an error without a message',
    ...(typeof data === 'object' && data !== null ? { data } : {}),
  }
}
