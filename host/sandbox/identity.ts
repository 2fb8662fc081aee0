import { createHash } from 'node:crypto'

import { PhantomError } from '../../src/contract/phantom-error.ts'

/**
 * 0x70000000 to 0x7ffffffe is unused by distributions, systemd and container managers
 * (https://systemd.io/UIDS-GIDS/); above it lie numbers that some programs read as negative.
 */
const FIRST_ID = 0x7000_0000
const LAST_ID = 0x7fff_fffe
/** Ids of one daemon. Blocks are chosen by hash, so two daemons share one in about 1 of 4,095 cases. */
const BLOCK_SIZE = 0x1_0000
const BLOCKS = Math.floor((LAST_ID - FIRST_ID + 1) / BLOCK_SIZE)

/** Whom a runner of a root daemon runs as; a daemon that is not root has none to give. */
export interface RunnerIdentity {
  readonly uid: number
  readonly gid: number
}

/** The pool of a daemon that runs as root; null for any other, whose runners keep its own uid. */
export function createIdentityPool(stateDirectory: string, daemonUid: number): IdentityPool | null {
  return daemonUid === 0 ? new IdentityPool(stateDirectory) : null
}

/**
 * A uid for each instance and a gid for each plugin. Without a user namespace RLIMIT_NPROC counts per uid over
 * all sandboxes, and processes of one uid may signal one another: hence one uid each.
 */
export class IdentityPool {
  readonly #base: number
  readonly #inUse = new Set<number>()
  #next = 0

  constructor(stateDirectory: string) {
    const hash = createHash('sha256').update(stateDirectory).digest().readUInt32BE(0)
    this.#base = FIRST_ID + (hash % BLOCKS) * BLOCK_SIZE
  }

  /** Goes round the block, so that a number just given back is the last to come again. */
  acquire(): number {
    if (this.#inUse.size === BLOCK_SIZE) {
      throw new PhantomError(
        'SANDBOX_UNAVAILABLE',
        `Cannot give a runner a user id of its own: all ${BLOCK_SIZE} from ${this.#base} on are in use. Stop plugins that are idle`,
      )
    }
    while (this.#inUse.has(this.#base + this.#next)) this.#next = (this.#next + 1) % BLOCK_SIZE
    const uid = this.#base + this.#next
    this.#next = (this.#next + 1) % BLOCK_SIZE
    this.#inUse.add(uid)
    return uid
  }

  release(uid: number): void {
    this.#inUse.delete(uid)
  }

  /** `pluginNumber` counts a daemon's plugins from 0 and stays with the plugin for good: files carry the gid. */
  gidOf(pluginNumber: number): number {
    if (!Number.isInteger(pluginNumber) || pluginNumber < 0 || pluginNumber >= BLOCK_SIZE) {
      throw new RangeError(`pluginNumber must be an integer from 0 to ${BLOCK_SIZE - 1}, not ${pluginNumber}`)
    }
    return this.#base + pluginNumber
  }
}
