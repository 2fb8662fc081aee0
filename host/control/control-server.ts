import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { ClientActor } from './client-actor.ts'
import { ClientSession, type SessionPowers } from './client-session.ts'
import type { SocketAccess } from './socket-access.ts'

export interface ControlServerOptions extends Omit<SessionPowers, 'onClosed'> {
  readonly socketPath: string
  /** Who may open it is who may call. */
  readonly access: SocketAccess
  /** Asked at each new client: the configuration may change. */
  readonly maxClients: () => number
  /** The number of clients changed. */
  readonly onClients: (count: number) => void
}

/** A unix socket where clients of one role attach. Its file's owner and mode are the authorisation. */
export class ControlServer {
  readonly #options: ControlServerOptions
  readonly #server: Server
  readonly #sessions = new Set<ClientSession>()

  constructor(options: ControlServerOptions) {
    this.#options = options
    // A plain client may close its half and still read its answers.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  get clientCount(): number {
    return this.#sessions.size
  }

  /** Those that have not said goodbye. */
  get stayingCount(): number {
    let count = 0
    for (const session of this.#sessions) if (!session.hasLeft) count += 1
    return count
  }

  /**
   * The caller holds the state folder's lock, so a socket file that lies there belongs to a dead daemon.
   *
   * @throws PhantomError DAEMON_UNREACHABLE when the socket cannot be made
   */
  async listen(): Promise<void> {
    const { socketPath: path, access } = this.#options
    prepareFolder(dirname(path))
    if (existsSync(path)) unlinkSync(path)
    const mask = process.umask(0o177)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen(path, resolve)
      })
      // The group before the mode: nobody else's may open it in between.
      if (access.groupId !== null) chownSync(path, process.getuid?.() ?? 0, access.groupId)
      chmodSync(path, access.mode)
    } catch (error) {
      throw new PhantomError(
        'DAEMON_UNREACHABLE',
        `Cannot listen on "${path}": ${(error as Error).message}. Choose another state folder with --state`,
        {
          cause: error,
        },
      )
    } finally {
      process.umask(mask)
    }
    // EMFILE and the like on accept: the next one may succeed.
    this.#server.on('error', (error) =>
      this.#options.log.error('cannot accept a client', { error: error.message }),
    )
  }

  /** Takes no more clients and removes the socket; those that are attached stay until `closeSessions`. */
  stopListening(): void {
    // Its callback would wait for every connection; the path is gone at once.
    this.#server.close()
  }

  closeSessions(): void {
    for (const session of this.#sessions) session.close()
  }

  #accept(socket: Socket): void {
    if (this.#sessions.size >= this.#options.maxClients()) {
      const limit = this.#options.maxClients()
      this.#options.log.warn('a client was refused: too many', { limit })
      const actor = new ClientActor(socket, this.#options.role)
      this.#options.audit.clientRefused(actor, `there are ${limit} already`)
      socket.destroy()
      return
    }
    const session = new ClientSession(socket, {
      ...this.#options,
      onClosed: (closed) => {
        this.#sessions.delete(closed)
        this.#options.onClients(this.#sessions.size)
      },
    })
    this.#sessions.add(session)
    this.#options.onClients(this.#sessions.size)
  }
}

/** The folder must be ours alone: in a shared one, somebody else could put a socket of his in our place. */
function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const found = lstatSync(folder)
  const uid = process.getuid?.() ?? 0
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) return
  throw new PhantomError(
    'PERMISSION_DENIED',
    `Cannot listen in "${folder}": it must be a folder that uid ${uid} owns and nobody else may write. ` +
      'Remove it or set XDG_RUNTIME_DIR',
  )
}
