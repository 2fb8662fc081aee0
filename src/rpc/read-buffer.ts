import type { OnReadOpts } from 'node:net'
import type { Connection } from './connection.ts'

const READ_BYTES = 64 * 1024

/**
 * Reads a socket into one buffer that serves for every read (`onread`, https://nodejs.org/api/net.html): no
 * allocation, no stream machinery. For the ends of the wire, which use a payload at once; the daemon in the middle
 * holds payloads until they are sent on, so it must not.
 */
export class ReadBuffer {
  #connection: Connection | null = null

  /** For the socket's constructor, which wants it before there is a connection. */
  readonly onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (bytes, buffer) => {
      this.#connection?.receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
      return true
    },
  }

  /** Nothing is read before. */
  attach(connection: Connection): void {
    this.#connection = connection
  }
}
