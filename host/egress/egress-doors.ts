import type { PassedListener } from '../spawn/started-process.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { EgressMeter } from './egress-meter.ts'
import type { NetworkFigures } from '../../src/contract/health.ts'
import { EgressProxy } from './egress-proxy.ts'
import { EgressTally } from './egress-tally.ts'
import { NameResolver } from './name-resolver.ts'
import { parseOverrides } from './parse-overrides.ts'

/** The way out of one process: a proxy of its own behind a socket that nobody else can reach. */
export interface EgressDoor {
  readonly meter: EgressMeter
  /**
   * Accepts from now on what comes to that socket, which lies in the sandbox's own network.
   *
   * @throws the system's error where it is none that listens, and an Error where the door is closed
   */
  listen(listener: PassedListener): Promise<void>
  close(): Promise<void>
}

export interface DoorRequest {
  readonly pluginId: string
  readonly workspace: string
  /** Normalised and not empty. */
  readonly rules: readonly string[]
  /** The plugin's, of all its processes; the door adds to them. */
  readonly total: NetworkFigures
}

export interface EgressDoorsOptions {
  /** Read at each use: the configuration may change. */
  readonly config: () => { readonly resolve: readonly string[]; readonly nameServers: readonly string[] }
  readonly record: AuditLog['record']
}

/** What was let through is written down together, this often, and when a process ends. */
const SUMMARY_MS = 60_000

/** Makes a door for each process of a plugin with a right to the network. */
export class EgressDoors {
  readonly #options: EgressDoorsOptions
  readonly #resolver: NameResolver
  readonly #open = new Map<EgressDoor, EgressTally>()
  readonly #summary: NodeJS.Timeout

  constructor(options: EgressDoorsOptions) {
    this.#options = options
    const { config } = options
    this.#resolver = new NameResolver({
      overrides: () => parseOverrides(config().resolve),
      servers: () => config().nameServers,
    })
    this.#summary = setInterval(() => this.#writeDown(), SUMMARY_MS)
    this.#summary.unref()
  }

  open(request: DoorRequest): EgressDoor {
    const meter = new EgressMeter(request.total)
    const tally = new EgressTally({ ...request, meter, record: this.#options.record })
    const proxy = new EgressProxy({
      rules: request.rules,
      resolve: this.#resolver.forOne(),
      meter,
      onAllowed: (target, way) => tally.allowed(target, way),
      onRefused: (refusal) => tally.refused(refusal),
    })
    const door: EgressDoor = {
      meter,
      listen: (listener) => proxy.listen(listener),
      close: async () => {
        if (this.#open.delete(door)) tally.writeDown()
        await proxy.close()
      },
    }
    this.#open.set(door, tally)
    return door
  }

  async close(): Promise<void> {
    clearInterval(this.#summary)
    await Promise.all(Array.from(this.#open.keys(), (door) => door.close()))
    this.#resolver.close()
  }

  #writeDown(): void {
    for (const tally of this.#open.values()) tally.writeDown()
  }
}
