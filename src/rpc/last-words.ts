import type { Duplex } from 'node:stream'

/** A peer that takes nothing for so long, or not all in so many rounds, loses the rest. */
const ROUND_MS = 1000
const MAX_ROUNDS = 30
/** What a refused peer has on its way is taken for so long, and so much of it. */
const LINGER_MS = 250
const LINGER_BYTES = 1024 * 1024

/** Closes a stream; what was written before still reaches a peer that takes it. */
export function closeAfterLastWords(stream: Duplex): void {
  if (stream.writableLength === 0 || stream.destroyed) {
    stream.destroy()
    return
  }
  let left = stream.writableLength
  let rounds = 0
  const watch = setInterval(() => {
    rounds += 1
    if (stream.writableLength >= left || rounds > MAX_ROUNDS) stream.destroy()
    left = stream.writableLength
  }, ROUND_MS)
  stream.once('close', () => clearInterval(watch))
  stream.end(() => stream.destroy())
}

/**
 * The same for a peer that is told why. It may be sending still, and a socket that is closed over bytes that nobody
 * read resets the connection: the peer would see that before it reads why (unix(7), ECONNRESET). So its bytes are
 * taken, and dropped, for a moment.
 */
export function closeAfterRefusal(stream: Duplex): void {
  const close = (): void => closeAfterLastWords(stream)
  const late = setTimeout(close, LINGER_MS)
  let left = LINGER_BYTES
  stream.once('close', () => clearTimeout(late))
  stream.once('end', close)
  stream.on('data', (chunk: Uint8Array) => {
    left -= chunk.length
    if (left <= 0) close()
  })
  stream.resume()
}
