import type { NetworkFigures } from '../../src/contract/health.ts'

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

export interface MeterEvents {
  /** A figure has grown by so much. */
  onUse(figure: keyof NetworkFigures, by: number): void
  onRefused(refusal: EgressRefusal): void
}

/** Counts for one process; the calls in it read their share as a difference. */
export class EgressMeter {
  readonly #use = { requests: 0, connections: 0, bytes: 0 }
  readonly #total: NetworkFigures
  #events: MeterEvents | null = null

  /** `total`: the plugin's, of all its processes. */
  constructor(total: NetworkFigures) {
    this.#total = total
  }

  /** As it is now. */
  get use(): NetworkFigures {
    return { ...this.#use }
  }

  watch(events: MeterEvents): void {
    this.#events = events
  }

  request(): void {
    this.#add('requests', 1)
  }

  tunnel(): void {
    this.#add('connections', 1)
    this.#add('requests', 1)
  }

  moved(bytes: number): void {
    this.#add('bytes', bytes)
  }

  refused(refusal: EgressRefusal): void {
    this.#events?.onRefused(refusal)
  }

  #add(figure: keyof NetworkFigures, count: number): void {
    this.#use[figure] += count
    this.#total[figure] += count
    this.#events?.onUse(figure, count)
  }
}
