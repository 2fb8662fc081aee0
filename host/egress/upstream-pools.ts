import type { Socket } from 'node:net'
import type { Dispatcher, Pool } from 'undici'
import { hostInUrl, type CanonicalHost } from './canonical-host.ts'
import { dial } from './dial.ts'
import type { Target } from './host-rules.ts'

/** Connections of one plugin's process to one server, and servers at once. */
const MAX_CONNECTIONS = 16
const MAX_POOLS = 16
const IDLE_MS = 10_000
const MAX_HEAD_BYTES = 16 * 1024
/** A slow server is the plugin's business, whose calls have deadlines; one that never answers is ours. */
const ANSWER_TIMEOUT_MS = 300_000

interface Kept {
  readonly pool: Pool
  usedAtMs: number
}

/**
 * Kept connections of one plugin's process, by server and vetted addresses: nobody else's requests go over them, and a
 * name that resolves to another address gets a pool of its own.
 */
export class UpstreamPools {
  readonly #pools = new Map<string, Kept>()
  readonly #closing = new AbortController()
  readonly #sweep: NodeJS.Timeout

  constructor() {
    this.#sweep = setInterval(() => this.#closeIdle(), IDLE_MS)
    this.#sweep.unref()
  }

  /** Undici is loaded by the first request of the first plugin that makes one. */
  async of(target: Target, addresses: readonly CanonicalHost[]): Promise<Dispatcher> {
    // By its default export: of a bundled CommonJS module that is all there is.
    const { default: undici } = await import('undici')
    const origin = `http://${hostInUrl(target.host)}:${target.port}`
    const key = [origin, ...addresses.map(({ text }) => text)].join(' ')
    const known = this.#pools.get(key)
    if (known !== undefined) {
      known.usedAtMs = performance.now()
      return known.pool
    }
    if (this.#pools.size >= MAX_POOLS) this.#closeOldest()
    const { signal } = this.#closing
    const pool = new undici.Pool(origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: 3 * IDLE_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      connect: (_options, done) => void connectUpstream(addresses, { port: target.port, signal }, done),
    })
    this.#pools.set(key, { pool, usedAtMs: performance.now() })
    return pool
  }

  close(): void {
    clearInterval(this.#sweep)
    this.#closing.abort()
    for (const { pool } of this.#pools.values()) void pool.destroy(new Error('the plugin is gone'))
    this.#pools.clear()
  }

  #closeIdle(): void {
    for (const [key, { pool, usedAtMs }] of this.#pools) {
      if (performance.now() - usedAtMs > IDLE_MS && pool.stats.running + pool.stats.queued === 0)
        this.#forget(key, pool)
    }
  }

  #closeOldest(): void {
    const [oldest] = [...this.#pools].toSorted(([, one], [, other]) => one.usedAtMs - other.usedAtMs)
    if (oldest !== undefined) this.#forget(oldest[0], oldest[1].pool)
  }

  /** What runs in it ends first. */
  #forget(key: string, pool: Pool): void {
    this.#pools.delete(key)
    void pool.close()
  }
}

async function connectUpstream(
  addresses: readonly CanonicalHost[],
  { port, signal }: { port: number; signal: AbortSignal },
  done: (...outcome: [null, Socket] | [Error, null]) => void,
): Promise<void> {
  let socket: Socket
  try {
    socket = await dial(addresses, port, signal)
  } catch (error) {
    done(error as Error, null)
    return
  }
  done(null, socket)
}
