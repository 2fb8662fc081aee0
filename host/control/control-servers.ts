import type { SocketRole } from '../../src/contract/method-roles.ts'
import { ControlServer, type ControlServerOptions } from './control-server.ts'
import { HeldInput } from './held-input.ts'
import { OPERATOR_ACCESS, type SocketAccess } from './socket-access.ts'

/** Operators get in when applications hold every place of theirs, and the other way round. */
const MAX_OPERATORS = 64

type Shared = Omit<
  ControlServerOptions,
  'role' | 'socketPath' | 'access' | 'maxClients' | 'onClients' | 'adminSocketPath' | 'heldInput'
>

export interface ControlServersOptions extends Shared {
  readonly socketPaths: Readonly<Record<SocketRole, string>>
  readonly applicationAccess: SocketAccess
  readonly maxApplications: () => number
  /** The number of clients changed. */
  readonly onClients: (count: number) => void
}

/** The daemon's two sockets: one for applications, one for operators. */
export class ControlServers {
  readonly #servers: readonly ControlServer[]

  constructor({
    socketPaths,
    applicationAccess,
    maxApplications,
    onClients,
    ...shared
  }: ControlServersOptions) {
    const common = {
      ...shared,
      adminSocketPath: socketPaths.operator,
      heldInput: new HeldInput(shared.maxPayloadBytes),
      onClients: () => onClients(this.clientCount),
    }
    // In the order in which they listen: who finds the applications' socket finds the other one, too.
    this.#servers = [
      new ControlServer({
        ...common,
        role: 'operator',
        socketPath: socketPaths.operator,
        access: OPERATOR_ACCESS,
        maxClients: () => MAX_OPERATORS,
      }),
      new ControlServer({
        ...common,
        role: 'application',
        socketPath: socketPaths.application,
        access: applicationAccess,
        maxClients: maxApplications,
      }),
    ]
  }

  get clientCount(): number {
    return this.#servers.reduce((sum, server) => sum + server.clientCount, 0)
  }

  /** Those that have not said goodbye. */
  get stayingCount(): number {
    return this.#servers.reduce((sum, server) => sum + server.stayingCount, 0)
  }

  /** @throws PhantomError DAEMON_UNREACHABLE when a socket cannot be made; none is left then */
  async listen(): Promise<void> {
    try {
      for (const server of this.#servers) await server.listen()
    } catch (error) {
      this.stopListening()
      throw error
    }
  }

  stopListening(): void {
    for (const server of this.#servers) server.stopListening()
  }

  closeSessions(): void {
    for (const server of this.#servers) server.closeSessions()
  }
}
