import { connect, type Socket } from 'node:net'
import { canonicalAddress, type CanonicalHost } from './canonical-host.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Of many addresses so many are tried. */
const MAX_TRIED = 4

/**
 * Connects to the first of the vetted addresses that answers. No name is looked up here, and what was reached is
 * compared with what was meant.
 *
 * @throws the last address's error
 */
export async function dial(
  addresses: readonly CanonicalHost[],
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  let failure: unknown = new Error('there is no address to connect to')
  for (const address of addresses.slice(0, MAX_TRIED)) {
    try {
      return await dialOne(address, port, signal)
    } catch (error) {
      failure = error
      if (signal.aborted) break
    }
  }
  throw failure
}

function dialOne(address: CanonicalHost, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address.text,
      port,
      family: address.kind === 'ipv6' ? 6 : 4,
      allowHalfOpen: true,
      noDelay: true,
      lookup: (_name, _options, done) => done(new Error('no name is looked up here'), '', 4),
    })
    const fail = (error: Error): void => {
      clearTimeout(late)
      signal.removeEventListener('abort', aborted)
      socket.destroy()
      reject(error)
    }
    const aborted = (): void => fail(new Error('nobody waits for it any more'))
    const late = setTimeout(
      () => fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`)),
      CONNECT_TIMEOUT_MS,
    )
    socket.once('error', fail)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
    socket.once('connect', () => {
      if (canonicalAddress(socket.remoteAddress ?? '')?.text !== address.text) {
        fail(new Error('it is connected to another address than was meant'))
        return
      }
      clearTimeout(late)
      signal.removeEventListener('abort', aborted)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}
