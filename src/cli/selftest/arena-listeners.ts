import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import net from 'node:net'

interface ArenaSockets {
  readonly unixSocket: string
  readonly grantedSocket: string
  readonly abstractSocket: string
  readonly secret: string
}

/** Ears of the host that no plugin may reach: each counts who came. */
export class ArenaListeners implements AsyncDisposable {
  readonly #servers: net.Server[] = []
  readonly #secret: string
  #datagrams: DatagramSocket | null = null
  #visitors: string[] = []
  tcpPort = 0
  tcp6Port: number | null = null
  udpPort = 0

  constructor(secret: string) {
    this.#secret = secret
  }

  static async open(places: ArenaSockets): Promise<ArenaListeners> {
    const listeners = new ArenaListeners(places.secret)
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
      this.#servers.map((server) => new Promise((resolve) => server.close(() => resolve(null)))),
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
}
