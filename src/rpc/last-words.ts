import type { Duplex } from 'node:stream'

/** A peer that takes nothing for so long, or not all in so many rounds, loses the rest. */
const ROUND_MS = 1000
const MAX_ROUNDS = 30

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
