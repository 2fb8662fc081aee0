import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { AuditActor } from '../../src/contract/audit.ts'
import type { SocketRole } from '../../src/contract/method-roles.ts'
import { type PeerCredentials, readPeerCredentials } from './peer-credentials.ts'

const MAX_COMMAND_CHARS = 512

type Peer = Pick<AuditActor, 'uid' | 'gid' | 'pid' | 'command' | 'identity'>

/** Who is at the other end of a connection, for the audit log. */
export class ClientActor {
  readonly #socket: Socket
  #peer: Peer | null = null
  #client: string | null = null

  /** An operator is looked at when he comes: by the time he asks for something his process may be gone. */
  constructor(socket: Socket, role: SocketRole) {
    this.#socket = socket
    if (role === 'operator') this.#peer = lookAt(socket)
  }

  /** What the client calls itself. */
  set client(name: string) {
    this.#client = name
  }

  describe(): AuditActor {
    this.#peer ??= lookAt(this.#socket)
    return { ...this.#peer, client: this.#client }
  }
}

function lookAt(socket: Socket): Peer {
  const credentials = readPeerCredentials(socket)
  if (credentials === null) {
    const owner = process.getuid?.() ?? 0
    const identity = `unknown (socket file's owner uid ${owner})`
    return { uid: null, gid: null, pid: null, command: null, identity }
  }
  return { ...credentials, command: commandOf(credentials), identity: 'peer credentials' }
}

/** Null where it is gone, or hidden from us. */
function commandOf({ pid }: PeerCredentials): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return text === '' ? null : text.slice(0, MAX_COMMAND_CHARS)
  } catch {
    // ENOENT, EACCES: see above.
    return null
  }
}
