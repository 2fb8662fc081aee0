import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import net from 'node:net'

interface ArenaSockets {
  readonly unixSocket: string
  readonly grantedSocket: string
  readonly abstractSocket: string
  readonly secret: string
  readonly given: string
}

/** Ears of the host that no plugin may reach: each counts who came. */
export class ArenaListeners implements AsyncDisposable {
  readonly #servers: net.Server[] = []
  readonly #secret: string
  readonly #given: string
  #datagrams: DatagramSocket | null = null
  #visitors: string[] = []
  tcpPort = 0
  tcp6Port: number | null = null
  udpPort = 0

  /** The one that a plugin was granted: it is no visitor there. */
  grantedPort = 0

  constructor({ secret, given }: Pick<ArenaSockets, 'secret' | 'given'>) {
    this.#secret = secret
    this.#given = given
  }

  static async open(places: ArenaSockets): Promise<ArenaListeners> {
    const listeners = new ArenaListeners(places)
    try {
      await listeners.#open(places)
      return listeners
    } catch (error) {
      await listeners[Symbol.asyncDispose]()
      throw error
    }
  }

  async #open(places: ArenaSockets): Promise<void> {
    this.tcpPort = await this.#listen('TCP', { host: '127.0.0.1', port: 0 })
    this.tcp6Port = await this.#listen('TCP on ::1', { host: '::1', port: 0 }).catch(() => null)
    this.grantedPort = await this.#listenGranted()
    await this.#listen('the unix socket', { path: places.unixSocket })
    await this.#listen('the unix socket in a granted folder', { path: places.grantedSocket })
    await this.#listen('the abstract unix socket', { path: places.abstractSocket })
    const datagrams = createSocket('udp4', () => this.#visitors.push('UDP'))
    this.#datagrams = datagrams
    datagrams.bind(0, '127.0.0.1')
    await once(datagrams, 'listening')
    this.udpPort = datagrams.address().port
  }

  /** Who came since the last time that this was asked. */
  takeVisitors(): string[] {
    return this.#visitors.splice(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#datagrams?.close()
    await Promise.all(
      this.#servers.map((server) => {
        if ('closeAllConnections' in server) (server as Server).closeAllConnections()
        return new Promise((resolve) => server.close(() => resolve(null)))
      }),
    )
  }

  async #listen(name: string, where: net.ListenOptions): Promise<number> {
    const server = net.createServer((socket) => {
      this.#visitors.push(name)
      socket.on('error', () => {})
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${this.#secret}`)
    })
    server.listen(where)
    await once(server, 'listening')
    if (where.path?.startsWith('/') === true) chmodSync(where.path, 0o777)
    this.#servers.push(server)
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Answers what a plugin may know, and leads away from it by "/away". */
  async #listenGranted(): Promise<number> {
    const server = createServer((request, response) => {
      if (!(request.url ?? '').startsWith('/away')) return void response.end(this.#given)
      const host = request.url === '/away' ? '127.0.0.1' : 'loop.test'
      response.writeHead(302, { location: `http://${host}:${this.tcpPort}/` }).end()
    })
    server.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    this.#servers.push(server)
    return (server.address() as net.AddressInfo).port
  }
}
