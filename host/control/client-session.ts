import type { Socket } from 'node:net'
import { METHOD_ROLES, type SocketRole } from '../../src/contract/method-roles.ts'
import { MAX_PENDING_CALLS } from '../../src/contract/limits.ts'
import { isPhantomError, PhantomError } from '../../src/contract/phantom-error.ts'
import type {
  SystemMethod,
  SystemNotifications,
  SystemParams,
  SystemResults,
} from '../../src/contract/system-methods.ts'
import { Connection, type IncomingRequest, type RequestId } from '../../src/rpc/connection.ts'
import { RequestTable } from '../../src/rpc/request-table.ts'
import type { Caller, Execution, Settlement } from '../execution/execution.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import { ClientActor } from './client-actor.ts'
import type { ControlAudit, Request } from './control-audit.ts'
import type { HeldInput } from './held-input.ts'
import { operatorOnly } from './operator-only.ts'
import { checkMethod, checkParams } from './param-checks.ts'

/** The payload of `send_plugin_message`; null for any other. */
type Asked = [session: ClientSession, id: RequestId, payload: Buffer | null]

/** Every method but `execute_plugin` and `cancel`, which the session itself takes care of. */
export type SystemHandlers = {
  [M in Exclude<SystemMethod, 'execute_plugin' | 'cancel'>]: (
    params: SystemParams<M>,
    ...asked: Asked
  ) => SystemResults[M] | Promise<SystemResults[M]>
}

/** What a session needs from the daemon. */
export interface SessionPowers {
  /** Of the socket: all its clients may the same. */
  readonly role: SocketRole
  readonly adminSocketPath: string
  readonly audit: ControlAudit
  readonly handlers: SystemHandlers
  readonly maxPayloadBytes: number
  /** Of all sessions together. */
  readonly heldInput: HeldInput
  readonly defaultWorkspace: string
  readonly log: DaemonLog
  /** Runs a call. Throws what refuses it. */
  execute(call: SessionCall, input: Buffer | null): Execution
  cancel(execution: Execution): boolean
  cancelById(executionId: string): boolean
  onClosed(session: ClientSession): void
}

type FollowedMethod = 'log' | 'health' | 'metrics' | 'audit'

interface SessionCall {
  readonly caller: Caller
  readonly params: SystemParams<'execute_plugin'>
  readonly workspace: string
  readonly onProgress: ((progress: object) => void) | null
  readonly onSettled: (settlement: Settlement) => void
  /** See CallRequest. */
  readonly park: (resume: () => void) => boolean
}

interface PendingCall {
  /** Null until it was accepted. */
  execution: Execution | null
  readonly inputBytes: number
}

/** A client whose open calls hold more input than this many of the largest payloads is not read any further. */
const HELD_PAYLOADS = 2
/**
 * Requests of one client in a turn of the daemon's loop. A client that floods fills a read with hundreds, which would
 * keep everybody else waiting for milliseconds; this is about a third of one.
 */
const REQUESTS_PER_TURN = 64
/** Logs, metrics and healths that one client follows at once: each costs the daemon again and again. */
const MAX_FOLLOWS = 64
/** How often a client that closed its writing half is told that its calls still run. */
const STILL_THERE_MS = 1000

/** One client on the socket: what it asked, what it still waits for, and what happens when it leaves. */
export class ClientSession implements Caller {
  workspace: string
  readonly role: SocketRole
  readonly actor: ClientActor
  readonly connectionId = nextConnectionId()
  /** It said goodbye: a private daemon does not stay for it. */
  hasLeft = false
  readonly #powers: SessionPowers
  readonly #connection: Connection
  readonly #calls = new RequestTable<PendingCall>()
  readonly #follows = new Map<RequestId, () => void>()
  #asking: NodeJS.Timeout | null = null
  #parked: (() => void)[] = []
  #open = 0
  #heldBytes = 0
  #isHalfClosed = false

  constructor(socket: Socket, powers: SessionPowers) {
    this.#powers = powers
    this.workspace = powers.defaultWorkspace
    this.role = powers.role
    this.actor = new ClientActor(socket, powers.role)
    this.#connection = new Connection(socket, {
      maxPayloadBytes: powers.maxPayloadBytes,
      payloadFrames: false,
      strict: false,
      pausesWhenBehind: true,
      framesPerTurn: REQUESTS_PER_TURN,
      mayFree: () => true,
      room: powers.heldInput,
      onRequest: (request) => this.#receive(request),
      onRefusedPayload: (request) => this.#refuse(request, powers.heldInput.fullError()),
      onNotification: (method, params) => this.#receiveNotification(method, params),
      onClose: (error) => this.#closed(error),
      onDrain: () => this.#unpark(),
    })
    socket.on('end', () => this.#halfClosed())
  }

  get isClosed(): boolean {
    return this.#connection.isClosed
  }

  usePayloadFrames(): void {
    this.#connection.usePayloadFrames()
  }

  /** Sends what comes, with the id of the request that asked for it, until that is cancelled. */
  follow<M extends FollowedMethod>(
    id: RequestId,
    method: M,
    subscribe: (listener: (params: Omit<SystemNotifications[M], 'id'>) => void) => () => void,
  ): void {
    if (this.isClosed) return
    this.#follows.get(id)?.()
    if (this.#follows.size >= MAX_FOLLOWS) throw tooManyFollows()
    this.#follows.set(
      id,
      subscribe((params) => this.#tell(method, { id, ...params })),
    )
  }

  /** A client that does not read loses notifications rather than costing memory. */
  #tell(method: keyof SystemNotifications, params: object): void {
    if (!this.#connection.isOverBudget) this.#connection.notify(method, params)
  }

  /** Calls of a client that does not take its answers wait until it does: their results would pile up here. */
  #park(resume: () => void): boolean {
    if (!this.#connection.isOverBudget) return false
    this.#parked.push(resume)
    return true
  }

  #unpark(): void {
    for (const resume of this.#parked.splice(0)) resume()
  }

  close(): void {
    this.#connection.end()
  }

  #receive(request: IncomingRequest): void {
    if (this.#open >= MAX_PENDING_CALLS) {
      const error = new PhantomError(
        'QUEUE_FULL',
        `Cannot take request: this connection has ${this.#open} open ones. Wait for answers first`,
        { details: { limit: MAX_PENDING_CALLS } },
      )
      this.#connection.respondError(request.id, error)
      return
    }
    try {
      const method = checkMethod(request.method)
      if (method === 'execute_plugin') this.#execute(request)
      else this.#handle(method, request)
    } catch (error) {
      this.#refuse(request, error)
    }
  }

  #execute(request: IncomingRequest): void {
    const { id, payload } = request
    const params = checkParams('execute_plugin', request.params)
    if (this.#calls.get(id) !== undefined) throw duplicateId(id)
    if (payload !== null && this.#powers.heldInput.isFull) throw this.#powers.heldInput.fullError()
    const call: PendingCall = { execution: null, inputBytes: payload?.length ?? 0 }
    this.#calls.set(id, call)
    this.#open += 1
    this.#hold(call.inputBytes)
    try {
      call.execution = this.#powers.execute(this.#toCall(id, params, call), payload)
    } catch (error) {
      this.#release(id, call)
      throw error
    }
  }

  /** Holds nothing of the payload: a large one is let go of while its call still runs. */
  #toCall(id: RequestId, params: SystemParams<'execute_plugin'>, call: PendingCall): SessionCall {
    return {
      caller: this,
      params,
      workspace: params.workspace ?? this.workspace,
      onProgress: params.progress === true ? (progress) => this.#tell('progress', { id, ...progress }) : null,
      park: (resume) => this.#park(resume),
      onSettled: (settlement) => this.#settled(id, call, settlement),
    }
  }

  #settled(id: RequestId, call: PendingCall, settlement: Settlement): void {
    this.#release(id, call)
    if (settlement.kind === 'resolved') this.#connection.respond(id, settlement.result, settlement.payload)
    else this.#refuse({ id, method: 'execute_plugin' }, settlement.error)
    this.#endWhenDone()
  }

  #release(id: RequestId, call: PendingCall): void {
    this.#calls.delete(id)
    this.#open -= 1
    this.#hold(-call.inputBytes)
  }

  #hold(bytes: number): void {
    if (bytes === 0) return
    this.#powers.heldInput.add(bytes)
    const budget = HELD_PAYLOADS * this.#powers.maxPayloadBytes
    const wasOver = this.#heldBytes > budget
    this.#heldBytes += bytes
    const isOver = this.#heldBytes > budget
    if (isOver && !wasOver) this.#connection.pauseReading()
    if (wasOver && !isOver) this.#connection.resumeReading()
  }

  #handle(method: Exclude<SystemMethod, 'execute_plugin'>, request: IncomingRequest): void {
    const { id, payload } = request
    if (this.role !== 'operator' && METHOD_ROLES[method] === 'operator')
      throw operatorOnly(method, this.#powers.adminSocketPath)
    if (payload !== null && method !== 'send_plugin_message') {
      throw new PhantomError(
        'PARAMS_INVALID',
        `Cannot call "${method}": it takes no input. Only execute_plugin and send_plugin_message do`,
      )
    }
    const params = checkParams(method, request.params)
    const handler =
      method === 'cancel'
        ? () => ({ cancelled: this.#cancel(params as SystemParams<'cancel'>) })
        : (this.#powers.handlers[method] as (...request: [unknown, ...Asked]) => unknown)
    this.#open += 1
    void this.#answer({ id, method, params }, async () => await handler(params, this, id, payload))
  }

  async #answer(request: Request, handle: () => Promise<unknown>): Promise<void> {
    try {
      const { audit } = this.#powers
      const result = audit.isAct(request, this.role)
        ? await audit.perform(request, this.actor, handle)
        : await handle()
      this.#connection.respond(request.id, result, null)
    } catch (error) {
      this.#refuse(request, error)
    }
    this.#open -= 1
    this.#endWhenDone()
  }

  #cancel(params: SystemParams<'cancel'>): boolean {
    if (params.execution_id !== undefined) return this.#cancelById(params.execution_id)
    const execution = this.#calls.get(params.id!)?.execution ?? null
    if (execution === null) return this.#unfollow(params.id!)
    return this.#powers.cancel(execution)
  }

  /** Of others' calls an application learns not even whether they are. */
  #cancelById(executionId: string): boolean {
    if (this.role === 'operator') return this.#powers.cancelById(executionId)
    for (const { execution } of this.#calls.values())
      if (execution !== null && execution.executionId === executionId) return this.#powers.cancel(execution)
    return false
  }

  #unfollow(id: RequestId): boolean {
    this.#follows.get(id)?.()
    return this.#follows.delete(id)
  }

  /** A cancel may also come as a notification: who leaves a call behind needs no answer. */
  #receiveNotification(method: string, params: unknown): void {
    if (method !== 'cancel') return
    try {
      this.#cancel(checkParams('cancel', params))
    } catch (error) {
      this.#connection.respondError(null, error)
    }
  }

  #refuse(request: Request, error: unknown): void {
    if (isPhantomError(error)) this.#powers.audit.refused(request, this, error)
    else this.#powers.log.error('a request failed by a defect of ours', { error: stackOf(error) })
    this.#connection.respondError(request.id, error)
  }

  /**
   * End of file from a client that shook hands means that it left. A plain one-liner (`echo … | socat`) closes its
   * writing half at once and still wants its answers: it gets them, then the connection ends.
   */
  #halfClosed(): void {
    this.#isHalfClosed = true
    if (this.#connection.usesPayloadFrames) {
      this.#connection.destroy()
      return
    }
    this.#connection.endInput()
    this.#endWhenDone()
    if (this.isClosed) return
    // Whether it closed the other half, too, only a write finds out.
    this.#asking = setInterval(() => this.#tell('waiting', { calls: this.#open }), STILL_THERE_MS)
  }

  #endWhenDone(): void {
    if (this.#isHalfClosed && this.#open === 0) this.#connection.end()
  }

  /** What a client that left was waiting for is cancelled: nobody reads the answer. */
  #closed(error: PhantomError | null): void {
    if (error !== null && error.code === 'PROTOCOL_VIOLATION') {
      this.#powers.log.warn('a client was refused', { reason: error.message })
      this.#powers.audit.clientRefused(this.actor, error.message)
    }
    if (this.#asking !== null) clearInterval(this.#asking)
    for (const unsubscribe of this.#follows.values()) unsubscribe()
    this.#follows.clear()
    // A list of its own: each cancellation takes its call out of the table.
    const open = Array.from(this.#calls.values(), ({ execution }) => execution)
    for (const execution of open) if (execution !== null) this.#powers.cancel(execution)
    this.#unpark()
    this.#powers.onClosed(this)
  }
}

let lastConnectionId = 0

/** Differs from those of earlier daemons, too: the history outlives them. */
function nextConnectionId(): number {
  lastConnectionId = Math.max(lastConnectionId + 1, Date.now() * 1000)
  return lastConnectionId
}

function tooManyFollows(): PhantomError {
  return new PhantomError(
    'QUEUE_FULL',
    `Cannot follow: this connection follows ${MAX_FOLLOWS} things already. Cancel one first`,
    { details: { limit: MAX_FOLLOWS } },
  )
}

function duplicateId(id: RequestId): PhantomError {
  return new PhantomError(
    'REQUEST_INVALID',
    `Cannot take request: its id ${JSON.stringify(id)} is that of a call still open. Use a new id for each request`,
  )
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
