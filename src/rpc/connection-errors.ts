import { PhantomError, type WireError } from '../contract/phantom-error.ts'

export function closedError(): PhantomError {
  return new PhantomError('DAEMON_LOST', 'Cannot reach the peer: the connection is closed. Connect again')
}

export function lostStream(error: Error): PhantomError {
  return new PhantomError('DAEMON_LOST', `Cannot reach the peer: ${error.message}. Connect again`, {
    cause: error,
  })
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
