import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { PassedListener } from '../spawn/started-process.ts'
import { TokenBucket } from '../supervisor/token-bucket.ts'
import { dial } from './dial.ts'
import { EgressGate, nameOf } from './egress-gate.ts'
import type { EgressMeter, EgressRefusal } from './egress-meter.ts'
import { headerConflict, namesHost, valuesOf } from './forward-headers.ts'
import { forwardRequest } from './forward-request.ts'
import { hostInUrl } from './canonical-host.ts'
import { parseHostRules, type Target } from './host-rules.ts'
import type { ResolveName } from './name-resolver.ts'
import { answerRefusal, statusOf, writeRefusal } from './proxy-answer.ts'
import { readAuthority } from './read-authority.ts'
import { createServer } from './node-http.ts'
import { openTunnel } from './tunnel.ts'
import { UpstreamPools } from './upstream-pools.ts'

export interface EgressProxyOptions {
  /** Normalised, of the plugin's policy. */
  readonly rules: readonly string[]
  readonly resolve: ResolveName
  readonly meter: EgressMeter
  /** Something was let through. */
  readonly onAllowed: (target: Target, way: 'request' | 'tunnel') => void
  readonly onRefused: (refusal: EgressRefusal) => void
  /** What the head of a request may take. */
  readonly headTimeoutMs?: number
}

const MAX_HEAD_BYTES = 16 * 1024
const HEAD_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 30_000
/** Of one process of a plugin; the next ones are closed at once. */
const MAX_CLIENTS = 128
const MAX_TUNNELS = 64
const MAX_LEFT_BYTES = 200
/** Requests, and connections, of one process: each costs the loop that all plugins share. */
const RATE = { burst: 2_000, intervalMs: 1 }

const ABSOLUTE = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i

/**
 * The way out of one process of a plugin. Whoever speaks here is that plugin, since nobody else can reach its socket:
 * nothing in a request says who asks. Everything that arrives is hostile, and so is what a granted server answers.
 */
export class EgressProxy {
  readonly #options: EgressProxyOptions
  readonly #gate: EgressGate
  readonly #server: Server
  readonly #pools = new UpstreamPools()
  readonly #requestRate = new TokenBucket(RATE)
  readonly #clientRate = new TokenBucket(RATE)
  readonly #clients = new Set<Socket>()
  /** Whose request is not answered yet. */
  readonly #asking = new WeakSet<Socket>()
  /** The servers' ends. */
  readonly #servers = new Set<Socket>()
  #tunnels = 0
  #isClosed = false

  constructor(options: EgressProxyOptions) {
    this.#options = options
    this.#gate = new EgressGate(parseHostRules(options.rules), options.resolve)
    const headTimeoutMs = options.headTimeoutMs ?? HEAD_TIMEOUT_MS
    this.#server = createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: headTimeoutMs,
      // A body may take as long as its call; one that stands still is ended by `timeout`.
      requestTimeout: 0,
      connectionsCheckingInterval: headTimeoutMs / 5,
      keepAliveTimeout: KEEP_ALIVE_MS,
      insecureHTTPParser: false,
      // Checked by us, who write it down.
      requireHostHeader: false,
      noDelay: true,
    })
    this.#server.maxConnections = MAX_CLIENTS
    this.#server.timeout = 10 * KEEP_ALIVE_MS
    this.#server.on('connection', (socket) => this.#accepted(socket))
    this.#server.on('request', (request, response) => void this.#forward(request, response))
    // Else Node answers it, and nobody writes it down.
    this.#server.on('checkExpectation', (request, response) => this.#refuse(response, expecting(request)))
    this.#server.on('connect', (request, socket, head) => void this.#connect(request, socket as Socket, head))
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket))
    this.#server.on('clientError', (error, socket) => this.#unreadable(error, socket))
  }

  /**
   * Accepts what comes to a socket that listens already, and closes it in the end.
   *
   * @throws the system's error, and an Error where the proxy is closed
   */
  async listen(listener: PassedListener): Promise<void> {
    if (this.#isClosed) {
      listener.close()
      throw new Error('the proxy is closed')
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(listener.handle, resolve)
    })
    // EMFILE and the like on accept: the next one may succeed.
    this.#server.on('error', () => {})
  }

  /** Ends everything that goes through it, at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of [...this.#clients, ...this.#servers]) socket.destroy()
    this.#pools.close()
    await closed
  }

  #accepted(socket: Socket): void {
    if (this.#clientRate.take(performance.now()) > 0) {
      socket.destroy()
      return
    }
    this.#clients.add(socket)
    socket.once('close', () => this.#clients.delete(socket))
    // Of one that ended in the middle of something: whoever reads from it hears of it as well.
    socket.on('error', () => {})
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (refusal: EgressRefusal): void => this.#refuse(response, refusal)
    response.on('error', () => {})
    const { socket } = request
    const read = this.#asking.has(socket) ? pipelined(request) : readRequest(request)
    this.#asking.add(socket)
    response.once('close', () => this.#asking.delete(socket))
    if ('reason' in read) {
      refuse(read)
      return
    }
    const { target, path } = read
    try {
      await this.#turn()
      const admission = await this.#gate.admit(target)
      if ('refusal' in admission) {
        refuse(admission.refusal)
        return
      }
      const dispatcher = await this.#pools.of(target, admission.dial)
      if (response.destroyed || this.#isClosed) return
      const { meter } = this.#options
      this.#options.onAllowed(target, 'request')
      meter.request()
      forwardRequest(dispatcher, { target, path, request, response, meter })
    } catch (error) {
      refuse({ ...placeOf(target), reason: 'busy', message: `Cannot send the request: ${messageOf(error)}` })
    }
  }

  async #connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const refuse = (refusal: EgressRefusal): void => {
      this.#refused(refusal)
      writeRefusal(socket, statusOf(refusal), refusal.message, refusal.reason)
    }
    const target = readConnect(request)
    if ('reason' in target) {
      refuse(target)
      return
    }
    if (this.#tunnels >= MAX_TUNNELS) {
      refuse({ ...placeOf(target), reason: 'busy', message: `${MAX_TUNNELS} tunnels are open already` })
      return
    }
    this.#tunnels += 1
    try {
      await this.#turn()
      const admission = await this.#gate.admit(target)
      if ('refusal' in admission) refuse(admission.refusal)
      else await this.#tunnel(target, admission.dial, { socket, head })
    } catch (error) {
      refuse({ ...placeOf(target), reason: 'busy', message: `Cannot open the tunnel: ${messageOf(error)}` })
      socket.destroy()
    } finally {
      this.#tunnels -= 1
    }
  }

  /** Settles when the server's end is closed: until then it counts. */
  async #tunnel(
    target: Target,
    addresses: Parameters<typeof dial>[0],
    { socket, head }: { socket: Socket; head: Buffer },
  ): Promise<void> {
    const { meter, onAllowed } = this.#options
    if (this.#isClosed || socket.destroyed) return
    onAllowed(target, 'tunnel')
    meter.tunnel()
    let server: Socket
    try {
      server = await dial(addresses, target.port, abortedBy(socket))
    } catch (error) {
      writeRefusal(socket, 502, `Cannot reach ${nameOf(target)}: ${messageOf(error)}`, 'unreachable')
      return
    }
    this.#servers.add(server)
    const gone = new Promise<void>((resolve) => server.once('close', () => resolve()))
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    const onWrongName = (serverName: string): void => this.#refused(wrongName(target, serverName))
    openTunnel({ target, plugin: socket, server, meter, onWrongName }, head)
    await gone
    this.#servers.delete(server)
  }

  /** WebSockets go through a tunnel, as every client does it for wss:; h2c would be a second, unread protocol. */
  #upgrade(request: IncomingMessage, socket: Duplex): void {
    const refusal: EgressRefusal = {
      reason: 'unsupported',
      host: request.headers.host?.slice(0, MAX_LEFT_BYTES) ?? '',
      port: null,
      message:
        'The proxy changes no protocol on a plain connection. Use wss: or https:, which go through a tunnel',
      missing: null,
    }
    this.#refused(refusal)
    writeRefusal(socket, statusOf(refusal), refusal.message, refusal.reason)
  }

  #unreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    const message = isLate ? 'The request did not come to its end in time' : `No request: ${error.message}`
    if (!isLate) this.#refused({ reason: 'malformed', host: '', port: null, message, missing: null })
    const status = isLate ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    writeRefusal(socket, status, message, 'malformed')
  }

  /** Who asks too fast waits; so few can wait at once that it is never for long. */
  async #turn(): Promise<void> {
    const waitMs = this.#requestRate.book(performance.now())
    if (waitMs > 0) await delay(waitMs)
  }

  #refuse(response: ServerResponse, refusal: EgressRefusal): void {
    this.#refused(refusal)
    answerRefusal(response, refusal)
  }

  #refused(refusal: EgressRefusal): void {
    this.#options.meter.refused(refusal)
    this.#options.onRefused(refusal)
  }
}

function readRequest(request: IncomingMessage): { target: Target; path: string } | EgressRefusal {
  const url = request.url ?? ''
  const [, authority, path = '/'] = ABSOLUTE.exec(url) ?? []
  if (authority === undefined) {
    const what = /^https:/i.test(url)
      ? 'https goes through CONNECT'
      : 'its first line names no "http://host/path"'
    return malformed(url, `The proxy cannot send this request on: ${what}`)
  }
  const target = readAuthority(authority, 80)
  if ('refused' in target)
    return malformed(authority, `"${authority.slice(0, MAX_LEFT_BYTES)}" ${target.refused}`)
  const conflict = headerConflict(request.rawHeaders, target, 80)
  if (conflict !== null) return malformed(authority, `A request to ${nameOf(target)} ${conflict}`)
  return { target, path: path.startsWith('?') ? `/${path}` : path }
}

/** Nobody needs it, and what comes behind an open request could be meant as a part of it. */
function pipelined(request: IncomingMessage): EgressRefusal {
  return {
    ...malformed(request.url ?? '', 'The request before it is not answered yet. Open another connection'),
    reason: 'unsupported',
  }
}

function expecting(request: IncomingMessage): EgressRefusal {
  return {
    ...malformed(request.url ?? '', 'A request may expect "100-continue" and nothing else'),
    reason: 'unsupported',
  }
}

function readConnect(request: IncomingMessage): Target | EgressRefusal {
  const url = request.url ?? ''
  const target = readAuthority(url, null)
  if ('refused' in target) return malformed(url, `"${url.slice(0, MAX_LEFT_BYTES)}" ${target.refused}`)
  const hosts = valuesOf(request.rawHeaders, 'host')
  if (hosts.length <= 1 && hosts.every((host) => namesHost(host, target))) return target
  return malformed(url, `CONNECT ${nameOf(target)} has a Host header that names another host`)
}

function malformed(sent: string, message: string): EgressRefusal {
  return { reason: 'malformed', host: sent.slice(0, MAX_LEFT_BYTES), port: null, message, missing: null }
}

function wrongName(target: Target, serverName: string): EgressRefusal {
  const asked =
    serverName === '' ? 'a server that cannot be read' : `"${serverName.slice(0, MAX_LEFT_BYTES)}"`
  return {
    ...placeOf(target),
    reason: 'tls_name',
    message: `A tunnel to ${nameOf(target)} asked in TLS for ${asked}`,
  }
}

function placeOf({ host, port }: Target): { host: string; port: number; missing: null } {
  return { host: hostInUrl(host), port, missing: null }
}

function abortedBy(socket: Socket): AbortSignal {
  const controller = new AbortController()
  if (socket.destroyed) controller.abort()
  socket.once('close', () => controller.abort())
  return controller.signal
}
