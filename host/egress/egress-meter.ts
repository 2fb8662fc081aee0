/** What left a plugin's process for the network since it started. */
export interface NetworkUse {
  /** Plain HTTP requests and tunnels: what happens inside a tunnel is the plugin's and the server's alone. */
  readonly requests: number
  /** Tunnels (CONNECT). */
  readonly connections: number
  /** Both ways: bodies and heads of plain requests, everything inside tunnels. */
  readonly bytes: number
}

/** Why the proxy refused a request. */
export interface EgressRefusal {
  /** Dotted words for machines. */
  readonly reason:
    | 'not_granted'
    | 'address'
    | 'unresolved'
    | 'malformed'
    | 'unsupported'
    | 'tls_name'
    | 'busy'
  /** Canonical where it could be read, else as it was sent. */
  readonly host: string
  readonly port: number | null
  /** A whole sentence. */
  readonly message: string
  /** The permission that would allow it; null where none does. */
  readonly missing: string | null
}

const MAX_KEPT_REFUSALS = 32

/** Counts for one process; the calls in it read their share as a difference. */
export class EgressMeter {
  #requests = 0
  #connections = 0
  #bytes = 0
  readonly #refusals: { readonly at: number; readonly refusal: EgressRefusal }[] = []
  #refused = 0
  #onUse: () => void = () => {}

  get use(): NetworkUse {
    return { requests: this.#requests, connections: this.#connections, bytes: this.#bytes }
  }
  /** How many refusals there were: a place to look from. */
  get refusedCount(): number {
    return this.#refused
  }

  /** Calls `run` whenever a figure has grown. */
  watch(run: () => void): void {
    this.#onUse = run
  }

  request(): void {
    this.#requests += 1
    this.#onUse()
  }

  tunnel(): void {
    this.#connections += 1
    this.request()
  }

  moved(bytes: number): void {
    this.#bytes += bytes
    this.#onUse()
  }

  refused(refusal: EgressRefusal): void {
    this.#refused += 1
    this.#refusals.push({ at: this.#refused, refusal })
    if (this.#refusals.length > MAX_KEPT_REFUSALS) this.#refusals.shift()
  }

  /** Those that came after the given count, the latest first; the last few are kept. */
  refusalsSince(count: number): EgressRefusal[] {
    return this.#refusals
      .filter(({ at }) => at > count)
      .map(({ refusal }) => refusal)
      .toReversed()
  }
}
