import http from 'node:http'
import net from 'node:net'

import { EgressMeter, type EgressRefusal } from '../../host/egress/egress-meter.ts'
import { EgressProxy } from '../../host/egress/egress-proxy.ts'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** Says what it received. */
export function mirror(): http.Server {
  return http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ method: request.method, url: request.url, raw: request.rawHeaders, body }),
      )
    })
  })
}

/** One plugin's proxy, and what it reached and refused. */
export class EgressWorld {
  readonly meter = new EgressMeter({ requests: 0, connections: 0, bytes: 0 })
  readonly refusals: EgressRefusal[] = []
  readonly allowed: string[] = []
  readonly asked: string[] = []
  readonly #proxy: EgressProxy
  #server: http.Server | null = null
  /** Where the proxy listens. */
  #at = { host: '127.0.0.1', port: 0 }
  readonly #sockets = new Set<net.Socket>()

  /** `names`: what each name resolves to, one list for each time it is asked. */
  constructor(
    rules: readonly string[],
    names: Readonly<Record<string, readonly (readonly string[])[]>> = {},
  ) {
    const answers = new Map(Object.entries(names).map(([name, lists]) => [name, [...lists]]))
    this.#proxy = new EgressProxy({
      rules,
      meter: this.meter,
      headTimeoutMs: 1_000,
      onAllowed: ({ host, port }, way) => this.allowed.push(`${way} ${host.text}:${port}`),
      onRefused: (refusal) => this.refusals.push(refusal),
      resolve: (name) => {
        this.asked.push(name)
        const lists = answers.get(name)
        const list = lists !== undefined && lists.length > 1 ? lists.shift() : lists?.[0]
        return list === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(list)
      },
    })
  }

  /** A proxy that listens, and a server on a port of its own that rules may name. */
  static async start(
    server: http.Server,
    rules: (port: number) => readonly string[],
    names: ConstructorParameters<typeof EgressWorld>[1] = {},
  ): Promise<{ world: EgressWorld; port: number }> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    const world = new EgressWorld(rules(port), names)
    world.#server = server
    const listening = net.createServer()
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    world.#at = { host: '127.0.0.1', port: (listening.address() as net.AddressInfo).port }
    await world.#proxy.listen({ handle: listening, close: () => listening.close() })
    return { world, port }
  }

  /** A request as any HTTP client sends it through a proxy. */
  request(url: string, options: http.RequestOptions & { body?: string } = {}): Promise<Answer> {
    const { body, ...rest } = options
    const { host } = new URL(url)
    return new Promise((resolve, reject) => {
      const headers = { host, ...(rest.headers as http.OutgoingHttpHeaders | undefined) }
      const request = http.request({ ...this.#at, path: url, agent: false, ...rest, headers }, (response) => {
        let text = ''
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        )
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(body)
    })
  }

  /** A connection to the proxy on which a test writes what it likes. */
  open(): net.Socket {
    const socket = net.connect(this.#at)
    socket.on('error', () => {})
    return this.#keep(socket)
  }

  /** Writes, and answers with all that comes back until the proxy closes. */
  async say(text: string | Buffer): Promise<string> {
    const socket = this.open()
    socket.write(text)
    let said = ''
    for await (const chunk of socket) said += String(chunk)
    return said
  }

  /** A tunnel that is open, or the answer that refused it. */
  tunnel(authority: string): Promise<net.Socket | Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request({
        ...this.#at,
        method: 'CONNECT',
        path: authority,
        agent: false,
      })
      request.on('error', reject)
      request.on('connect', (response, socket, head) => {
        this.#keep(socket)
        socket.on('error', () => {})
        if (response.statusCode === 200 && head.length > 0) socket.unshift(head)
        if (response.statusCode === 200) resolve(socket)
        else resolve({ status: response.statusCode!, headers: response.headers, body: head.toString() })
      })
      request.end()
    })
  }

  closeProxy(): Promise<void> {
    return this.#proxy.close()
  }

  async close(): Promise<void> {
    await this.#proxy.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  #keep(socket: net.Socket): net.Socket {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }
}
