import net from 'node:net'

/** A port of the host's loopback that nobody in a sandbox should reach; whoever does is counted and let go. */
export class LoopbackBait {
  readonly #server = net.createServer((socket) => {
    this.#reached += 1
    socket.destroy()
  })
  #reached = 0
  #isClosed = false

  constructor() {
    this.#server.unref()
  }

  /** How many came through: what the canary says of itself need not be believed. */
  get reached(): number {
    return this.#reached
  }

  /** Null where nobody may listen: no loopback, or no descriptor left. */
  open(): Promise<number | null> {
    return new Promise((resolve) => {
      for (const event of ['error', 'close']) this.#server.once(event, () => resolve(null))
      this.#server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
        // Its process ended meanwhile.
        if (this.#isClosed) this.#server.close()
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : null)
      })
    })
  }

  close(): void {
    this.#isClosed = true
    this.#server.close()
  }
}
