import net from 'node:net'

/**
 * A port of the host's loopback that nobody in a sandbox should reach; whoever does is counted and let go. All that try it
 * at once share it, and it stays for a while after the last: a start that follows need not wait for a new one.
 */
export class LoopbackBait {
  readonly #keptMs: number
  #reached = 0
  #users = 0
  #open: { server: net.Server; port: Promise<number | null> } | null = null
  #closing: NodeJS.Timeout | null = null

  constructor({ keptMs }: { readonly keptMs: number }) {
    this.#keptMs = keptMs
  }

  /** How many came through so far: what the canary says of itself need not be believed. */
  get reached(): number {
    return this.#reached
  }

  /** Null where nobody may listen: no loopback, or no descriptor left. To be given back by `release`, once. */
  take(): Promise<number | null> {
    this.#users += 1
    if (this.#closing !== null) clearTimeout(this.#closing)
    this.#closing = null
    this.#open ??= this.#listen()
    return this.#open.port
  }

  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    if (this.#keptMs === 0) this.#close()
    else this.#closing = setTimeout(() => this.#close(), this.#keptMs).unref()
  }

  #listen(): { server: net.Server; port: Promise<number | null> } {
    const server = net.createServer((socket) => {
      this.#reached += 1
      socket.destroy()
    })
    server.unref()
    const port = new Promise<number | null>((resolve) => {
      server.once('close', () => resolve(null))
      server.once('error', () => {
        // The next one tries anew.
        if (this.#open?.server === server) this.#open = null
        resolve(null)
      })
      server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : null)
      })
    })
    return { server, port }
  }

  #close(): void {
    this.#open?.server.close()
    this.#open = null
    this.#closing = null
  }
}
