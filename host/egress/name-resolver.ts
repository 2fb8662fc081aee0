import { Resolver } from 'node:dns/promises'

/** All addresses of a canonical name. @throws the resolver's error where there is no answer */
export type ResolveName = (name: string) => Promise<readonly string[]>

interface ResolverOptions {
  /** Addresses by canonical name, which come before DNS. Read at each use: the configuration may change. */
  readonly overrides: () => ReadonlyMap<string, readonly string[]>
  /** `address` or `address:port` of those to ask; empty: the machine's own. Read at each use. */
  readonly servers: () => readonly string[]
}

const TIMEOUT_MS = 4_000
const TRIES = 2
/** An answer is used for so long at the most, whatever its own time says, and at least a moment. */
const MAX_TTL_MS = 30_000
const MIN_TTL_MS = 1_000
const MAX_CACHED = 1_000
/** It reads /etc/resolv.conf once, and a machine may come into another network. */
const RESOLVER_MS = 60_000
/** Questions on their way at once: names under a domain of an attacker's may take as long to answer as he likes. */
const MAX_QUESTIONS = 256
/** Of one who asks: the rest stays for others. */
const MAX_OWN_QUESTIONS = 16
/** Each is judged at each request. An answer of DNS has room for thousands, which would take 20 ms of the daemon's. */
const MAX_ADDRESSES = 64

/** On their way. */
interface Questions {
  questions: number
}

interface Cached {
  readonly addresses: Promise<readonly string[]>
  untilMs: number
}

/**
 * Asks the machine's name servers over c-ares and never getaddrinfo(3): that one blocks a thread of the pool on which
 * the daemon's own files wait, for as long as a name server likes. `/etc/hosts` is not read for it.
 */
export class NameResolver {
  readonly #options: ResolverOptions
  #resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  #servers = ''
  #madeAtMs = performance.now()
  readonly #cache = new Map<string, Cached>()
  #questions = 0

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  /** For one who asks: his questions that wait for an answer leave room for those of others. */
  forOne(): ResolveName {
    const own = { questions: 0 }
    return (name) => this.#resolve(name, own)
  }

  close(): void {
    this.#resolver.cancel()
    this.#cache.clear()
  }

  async #resolve(name: string, own: Questions): Promise<readonly string[]> {
    this.#useServers(this.#options.servers())
    const override = this.#options.overrides().get(name)
    if (override !== undefined) return override
    // https://www.rfc-editor.org/rfc/rfc6761#section-6.3: it means this machine, whatever DNS says.
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1']
    const known = this.#cache.get(name)
    if (known !== undefined && known.untilMs > performance.now()) return await known.addresses
    return await this.#ask(name, own)
  }

  #useServers(servers: readonly string[]): void {
    const nowMs = performance.now()
    if (this.#servers === servers.join() && nowMs - this.#madeAtMs < RESOLVER_MS) return
    this.#servers = servers.join()
    this.#madeAtMs = nowMs
    this.#resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
    if (servers.length > 0) this.#resolver.setServers(servers)
    this.#cache.clear()
  }

  async #ask(name: string, own: Questions): Promise<readonly string[]> {
    if (this.#questions >= MAX_QUESTIONS || own.questions >= MAX_OWN_QUESTIONS)
      throw new Error('too many names are being looked up')
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
    own.questions += 1
    const question = this.#query(name).finally(() => (own.questions -= 1))
    // While it is on its way, others wait for the same answer.
    const cached: Cached = { addresses: question.then(({ addresses }) => addresses), untilMs: Infinity }
    this.#cache.set(name, cached)
    try {
      const { addresses, ttlMs } = await question
      cached.untilMs = performance.now() + ttlMs
      return addresses
    } catch (error) {
      cached.addresses.catch(() => {})
      this.#cache.delete(name)
      throw error
    }
  }

  async #query(name: string): Promise<{ addresses: string[]; ttlMs: number }> {
    this.#questions += 1
    try {
      const [ipv4, ipv6] = await Promise.allSettled([
        this.#resolver.resolve4(name, { ttl: true }),
        this.#resolver.resolve6(name, { ttl: true }),
      ])
      const records = [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      if (records.length === 0 && ipv4.status === 'rejected') throw ipv4.reason
      if (records.length > MAX_ADDRESSES) throw new Error(`it has more than ${MAX_ADDRESSES} addresses`)
      const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000), MAX_TTL_MS)
      return { addresses: records.map(({ address }) => address), ttlMs: Math.max(ttlMs, MIN_TTL_MS) }
    } finally {
      this.#questions -= 1
    }
  }
}
