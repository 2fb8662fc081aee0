import { createConnection, type Socket } from 'node:net'
import type { ExecutionProgress, PluginExecutionResult } from '../contract/execution.ts'
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../contract/limits.ts'
import type { SentMessage } from '../contract/messages.ts'
import { fromWireError, PhantomError } from '../contract/phantom-error.ts'
import type {
  HandshakeResult,
  SystemMethod,
  SystemNotifications,
  SystemParams,
  SystemResults,
} from '../contract/system-methods.ts'
import { PACKAGE_VERSION, PROTOCOL_VERSION } from '../contract/version.ts'
import { Connection, type Answer } from '../rpc/connection.ts'
import { ReadBuffer } from '../rpc/read-buffer.ts'
import { readReturned } from '../rpc/read-returned.ts'
import { ResultLines } from '../rpc/result-lines.ts'

export interface SessionOptions {
  /** Workspace of calls that name none: absolute. */
  workspace: string
}

/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3
/** How long after its last answer a session lets its process end. */
const IDLE_MS = 20

/** Requests that can go on after their answer, and the notification that then belongs to each. */
const FOLLOWED_AS = {
  get_plugin_logs: 'log',
  get_plugin_health: 'health',
  get_metrics: 'metrics',
  get_audit_log: 'audit',
} as const satisfies Partial<Record<SystemMethod, keyof SystemNotifications>>

export type FollowedMethod = keyof typeof FOLLOWED_AS
/** What comes after the answer of a request that is followed. */
export type FollowedUpdate<M extends FollowedMethod> = Omit<
  SystemNotifications[(typeof FOLLOWED_AS)[M]],
  'id'
>

interface Follower {
  notification: string
  listener: (update: never) => void
}

type ProgressListener = (progress: ExecutionProgress) => void

/** One connection to a daemon, after its handshake. Requests go out at once; answers come as promises. */
export class DaemonSession {
  readonly socketPath: string
  readonly workspace: string
  readonly #socket: Socket
  readonly #connection: Connection
  readonly #progress = new Map<number, ProgressListener>()
  readonly #closed: Promise<void>
  readonly #followers = new Map<number, Follower>()
  #handshake: HandshakeResult | null = null
  #isReferenced = true
  #idleTimer: NodeJS.Timeout | null = null

  private constructor(
    { socketPath, workspace }: { socketPath: string; workspace: string },
    { socket, reading }: { socket: Socket; reading: ReadBuffer },
  ) {
    this.socketPath = socketPath
    this.workspace = workspace
    this.#socket = socket
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()))
    const results = new ResultLines()
    this.#connection = new Connection(socket, {
      maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES * 4,
      payloadFrames: false,
      strict: false,
      pushesChunks: true,
      takesLongLines: true,
      readLine: (line) => results.read(line),
      onRequest: (request) =>
        this.#connection.respondError(
          request.id,
          new PhantomError(
            'METHOD_NOT_FOUND',
            `Cannot call "${request.method}": an application serves no methods`,
          ),
        ),
      onNotification: (method, params) => this.#notified(method, params),
      onStrayAnswer: (id, error) => {
        // It could not read what we sent, so it cannot answer it either: nobody must wait for that.
        if (id === null && error !== null) this.#connection.destroy(fromWireError(error))
      },
      onClose: () => this.#updateLiveness(),
    })
    reading.attach(this.#connection)
  }

  /** @throws PhantomError DAEMON_UNREACHABLE, DAEMON_LOST, VERSION_UNSUPPORTED, WORKSPACE_DENIED */
  static async open(socketPath: string, options: SessionOptions): Promise<DaemonSession> {
    const { workspace } = options
    const session = new DaemonSession({ socketPath, workspace }, await connectSocket(socketPath))
    try {
      session.#handshake = await session.request('handshake', {
        protocol_version: PROTOCOL_VERSION,
        client: { name: '@phantom-ml/core', version: PACKAGE_VERSION },
        payload_frames: true,
        workspace,
      })
    } catch (error) {
      // Refused: it must not count as one of the daemon's clients any longer.
      await session.close()
      throw error
    }
    if (session.#handshake.payload_frames) session.#connection.usePayloadFrames()
    session.#updateLiveness()
    return session
  }

  get handshake(): HandshakeResult {
    return this.#handshake!
  }

  get isClosed(): boolean {
    return this.#connection.isClosed
  }

  /** Settles when the connection has ended, by either side. */
  get closed(): Promise<void> {
    return this.#closed
  }

  /** Sends a request whose params ask to go on after its answer; `stop` ends that. */
  follow<M extends FollowedMethod>(
    method: M,
    params: SystemParams<M>,
    listener: (update: FollowedUpdate<M>) => void,
  ): { answer: Promise<SystemResults[M]>; stop: () => void } {
    let id = 0
    const result = new Promise<SystemResults[M]>((resolve, reject) => {
      id = this.#connection.request(method, params, null, (answer) => {
        if (answer.error !== null) this.#followers.delete(id)
        this.#updateLiveness()
        if (answer.error === null) resolve(answer.result as SystemResults[M])
        else reject(this.#errorOf(answer))
      })
    })
    this.#followers.set(id, { notification: FOLLOWED_AS[method], listener })
    this.#updateLiveness()
    const stop = (): void => {
      if (this.#followers.delete(id)) this.cancelRequest(id)
    }
    return { answer: result, stop }
  }

  /** @param payload JSON that travels beside the params; null where there is none */
  request<M extends SystemMethod>(
    method: M,
    params: SystemParams<M>,
    payload: string | null = null,
  ): Promise<SystemResults[M]> {
    return new Promise((resolve, reject) => {
      this.#connection.request(method, params, payload, (answer) => {
        this.#updateLiveness()
        if (answer.error === null) resolve(answer.result as SystemResults[M])
        else reject(this.#errorOf(answer))
      })
      this.#updateLiveness()
    })
  }

  /** Puts a message into a plugin's queue. */
  send(params: SystemParams<'send_plugin_message'>, payload: string | null): Promise<SentMessage> {
    const { type, recipient } = params
    if (payload !== null)
      this.#checkSize(payload, () => `Cannot send "${type}" to "${recipient}": its payload`)
    return this.request('send_plugin_message', params, payload)
  }

  /** Runs an operation; `params` may be their JSON text. Returns its JSON-RPC id, by which it can be cancelled, and the promise of its result. */
  execute(
    params: SystemParams<'execute_plugin'> | string,
    input: string | null,
    onProgress: ProgressListener | null,
  ): { id: number; result: Promise<PluginExecutionResult> } {
    if (input !== null) this.#checkSize(input, () => runOf(params))
    let id = 0
    const result = new Promise<PluginExecutionResult>((resolve, reject) => {
      id = this.#connection.request('execute_plugin', params, input, (answer) => {
        this.#progress.delete(id)
        this.#updateLiveness()
        try {
          if (answer.error === null) resolve(readResult(answer))
          else reject(this.#errorOf(answer))
        } catch (error) {
          reject(error)
        }
      })
    })
    if (onProgress !== null) this.#progress.set(id, onProgress)
    this.#updateLiveness()
    return { id, result }
  }

  /** @throws PhantomError PAYLOAD_TOO_LARGE: the daemon would end the connection, and with it every other call */
  #checkSize(input: string, what: () => string): void {
    const { max_payload_bytes: limit } = this.handshake
    if (input.length * MAX_BYTES_PER_UNIT <= limit) return
    const measured = Buffer.byteLength(input)
    if (measured <= limit) return
    throw new PhantomError(
      'PAYLOAD_TOO_LARGE',
      `${what()} is ${measured} bytes of JSON, the daemon takes ${limit}. ` +
        'Send less, or raise limits.max_payload_mb in the configuration',
      { details: { limit, measured } },
    )
  }

  cancelRequest(id: number): void {
    if (!this.isClosed) this.#connection.request('cancel', { id }, null, () => {})
  }

  async close(): Promise<void> {
    if (!this.isClosed) this.#connection.end()
    await this.#closed
  }

  /**
   * An idle session keeps no process alive; one with an open request or a follower does. It is let go of a moment
   * after its last answer: an application that calls again and again would pay for it every time.
   */
  #updateLiveness(): void {
    if (this.#isBusy && !this.#isReferenced) {
      this.#isReferenced = true
      this.#socket.ref()
    }
    if (this.#isBusy || !this.#isReferenced || this.#idleTimer !== null) return
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = null
      if (this.#isBusy) return
      this.#isReferenced = false
      this.#socket.unref()
    }, IDLE_MS)
    this.#idleTimer.unref()
  }

  get #isBusy(): boolean {
    return this.#connection.pendingRequests > 0 || this.#followers.size > 0
  }

  #errorOf(answer: Answer & { error: object }): PhantomError {
    const error = fromWireError(answer.error)
    if (error.code !== 'DAEMON_LOST') return error
    return new PhantomError(
      'DAEMON_LOST',
      `Cannot finish the request: the daemon at "${this.socketPath}" is gone. Attach again; its log is in ` +
        `${this.#handshake?.state_directory ?? 'its state folder'}/logs/daemon.log`,
      { cause: error },
    )
  }

  #notified(method: string, params: unknown): void {
    if (method === 'progress') {
      const { id, ...progress } = params as SystemNotifications['progress']
      this.#progress.get(id as number)?.(progress)
      return
    }
    const { id, ...update } = params as { id: number }
    const follower = this.#followers.get(id)
    // The daemon may be believed: what belongs to a request is of the kind that the request asked for.
    if (follower?.notification === method) follower.listener(update as never)
  }
}

/** A result comes from a plugin through the daemon: its envelope may be believed, its payload is hostile. */
function readResult(answer: Answer & { error: null }): PluginExecutionResult {
  const result = answer.result as PluginExecutionResult
  if (answer.payload === null) return result
  result.result = readReturned(result.plugin_id, answer.payload.toString('utf8'))
  return result
}

function connectSocket(path: string): Promise<{ socket: Socket; reading: ReadBuffer }> {
  return new Promise((resolve, reject) => {
    const reading = new ReadBuffer()
    const socket = createConnection({ path, onread: reading.onread })
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve({ socket, reading })
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new PhantomError(
          'DAEMON_UNREACHABLE',
          `Cannot reach a daemon at "${path}": ${error.code === 'ENOENT' ? 'there is no such socket' : error.message}. ` +
            'Start one with "phantom serve"',
          { details: { socket: path, reason: error.code ?? 'unknown' }, cause: error },
        ),
      )
    })
  })
}

function runOf(params: SystemParams<'execute_plugin'> | string): string {
  const { operation, plugin_id: id } =
    typeof params === 'string' ? (JSON.parse(params) as SystemParams<'execute_plugin'>) : params
  return `Cannot run "${operation}" of "${id}": its input`
}
