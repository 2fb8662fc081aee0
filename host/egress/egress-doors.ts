import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { socketFolderOf } from '../../src/rpc/endpoint.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { RunnerIdentity } from '../sandbox/identity.ts'
import { EgressMeter } from './egress-meter.ts'
import type { NetworkFigures } from '../../src/contract/health.ts'
import { EgressProxy } from './egress-proxy.ts'
import { EgressTally } from './egress-tally.ts'
import { NameResolver } from './name-resolver.ts'
import { parseOverrides } from './parse-overrides.ts'

/** The way out of one process: a proxy of its own behind a socket that nobody else can reach. */
export interface EgressDoor {
  /** On the host; the sandbox has it at a place of its own. */
  readonly socketPath: string
  readonly meter: EgressMeter
  close(): Promise<void>
}

export interface DoorRequest {
  readonly pluginId: string
  readonly workspace: string
  /** Normalised and not empty. */
  readonly rules: readonly string[]
  /** Whom the process runs as; null where it keeps the daemon's own uid. */
  readonly identity: RunnerIdentity | null
  /** The plugin's, of all its processes; the door adds to them. */
  readonly total: NetworkFigures
}

export interface EgressDoorsOptions {
  readonly stateDirectory: string
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
  readonly #folder: string
  #made = 0

  constructor(options: EgressDoorsOptions) {
    this.#options = options
    const { config } = options
    this.#resolver = new NameResolver({
      overrides: () => parseOverrides(config().resolve),
      servers: () => config().nameServers,
    })
    this.#summary = setInterval(() => this.#writeDown(), SUMMARY_MS)
    this.#summary.unref()
    // What a killed daemon left: the lock of the state folder is ours.
    this.#folder = socketFolderOf(options.stateDirectory, 'egress')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** @throws PhantomError PLUGIN_START_FAILED where there is no socket to be had */
  async open(request: DoorRequest): Promise<EgressDoor> {
    const meter = new EgressMeter(request.total)
    const tally = new EgressTally({ ...request, meter, record: this.#options.record })
    const proxy = new EgressProxy({
      rules: request.rules,
      resolve: this.#resolver.resolve,
      meter,
      onAllowed: (target, way) => tally.allowed(target, way),
      onRefused: (refusal) => tally.refused(refusal),
    })
    this.#made += 1
    const socketPath = join(this.#folder, `${this.#made}.sock`)
    try {
      mkdirOwn(this.#folder)
      await listenFor(proxy, socketPath, request.identity)
    } catch (error) {
      throw socketError(request.pluginId, error)
    }
    const door: EgressDoor = {
      socketPath,
      meter,
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
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #writeDown(): void {
    for (const tally of this.#open.values()) tally.writeDown()
  }
}

function socketError(pluginId: string, error: unknown): PhantomError {
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot start "${pluginId}": there is no socket for its way to the network: ${messageOf(error)}`,
    { cause: error, details: { plugin_id: pluginId } },
  )
}

/** In a folder that others may write, somebody else could put a socket of theirs in our place. */
function mkdirOwn(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(folder)
  if (uid === process.getuid?.() && (mode & 0o077) === 0) return
  throw new Error(`"${folder}" must be a folder of the daemon's user alone. Remove it`)
}

/**
 * The folder is the daemon's alone, so nobody connects by this path; the process gets the socket itself mounted, and
 * to connect to that it must be the socket's owner.
 */
async function listenFor(proxy: EgressProxy, path: string, identity: RunnerIdentity | null): Promise<void> {
  try {
    await proxy.listen(path)
    chmodSync(path, 0o600)
    if (identity !== null) chownSync(path, identity.uid, identity.gid)
  } catch (error) {
    await proxy.close()
    throw error
  }
}
