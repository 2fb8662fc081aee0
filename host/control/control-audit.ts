import type { AuditActor } from '../../src/contract/audit.ts'
import type { ErrorCode } from '../../src/contract/error-codes.ts'
import { isAdministrativeAct, type SocketRole } from '../../src/contract/method-roles.ts'
import { isPhantomError, messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { SystemMethod } from '../../src/contract/system-methods.ts'
import type { AuditEvent, AuditLog } from '../audit/audit-log.ts'
import type { RequestId } from '../../src/rpc/connection.ts'
import type { ClientActor } from './client-actor.ts'

/** What a client asked for, as far as it is known. */
export interface Request {
  readonly id: RequestId
  readonly method: string
  readonly params?: unknown
}

interface Asker {
  readonly role: SocketRole
  readonly actor: ClientActor
}

/** Codes with which somebody is told that he may not. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PERMISSION_DENIED',
  'MESSAGE_REFUSED',
  'PLUGIN_BLOCKED',
  'WORKSPACE_DENIED',
  'SANDBOX_UNAVAILABLE',
  'VERSION_UNSUPPORTED',
])

/** What goes to the audit log from the sockets: acts of operators, and whatever was refused. */
export class ControlAudit {
  readonly #log: AuditLog

  constructor(log: AuditLog) {
    this.#log = log
  }

  isAct({ method, params }: Request, role: SocketRole): boolean {
    if (role !== 'operator') return false
    // By execution id an operator ends anybody's call.
    if (method === 'cancel') return 'execution_id' in (params as object)
    return isAdministrativeAct(method as SystemMethod)
  }

  /**
   * Does what is asked for once the log says on the disk that it begins, and answers once it says how it ended. So
   * an act that nobody could read of later is not done, and one that a kill cut short is read of all the same.
   *
   * @throws PhantomError AUDIT_UNAVAILABLE
   */
  async perform(request: Request, actor: ClientActor, work: () => Promise<unknown>): Promise<unknown> {
    const act = toAct(request, actor.describe())
    this.#log.record({ ...act, outcome: 'begun' })
    await this.#log.settled().catch((error: unknown) => {
      // Both lines wait for room; it was not done.
      this.#log.record({ ...act, outcome: 'refused', details: { ...act.details, code: 'AUDIT_UNAVAILABLE' } })
      throw error
    })
    const ended = await work().then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    )
    const { outcome, details } = endOf(ended)
    this.#log.record({ ...act, outcome, details: { ...act.details, ...details } })
    await this.#log.settled().catch((error: unknown) => {
      throw unrecorded(request.method, outcome, error)
    })
    if ('error' in ended) throw ended.error
    return ended.result
  }

  /** An error that a client gets for a request. What an act came to is recorded already. */
  refused(request: Request, { role, actor }: Asker, error: PhantomError): void {
    if (!REFUSALS.has(error.code) || this.isAct(request, role)) return
    // What a plugin was denied inside of its sandbox is recorded where that is seen.
    if (request.method === 'execute_plugin' && error.code === 'PERMISSION_DENIED') return
    this.#log.record({
      action: error.code === 'PERMISSION_DENIED' ? 'method.denied' : 'request.refused',
      plugin_id: pluginOf(request.params) ?? textOf(error.details['plugin_id']),
      outcome: 'refused',
      actor: actor.describe(),
      details: { method: request.method, code: error.code, message: error.message },
    })
  }

  /** A connection that was not taken, or ended because of what it sent. */
  clientRefused(actor: ClientActor, reason: string): void {
    const details = { reason }
    this.#log.record({
      action: 'client.refused',
      plugin_id: null,
      outcome: 'refused',
      actor: actor.describe(),
      details,
    })
  }
}

function toAct({ method, params }: Request, actor: AuditActor): Omit<AuditEvent, 'outcome'> {
  const { plugin_id: _id, updates, ...rest } = params as { plugin_id?: string; updates?: object }
  return {
    action: `admin.${method}`,
    plugin_id: pluginOf(params),
    actor,
    // The values may be secrets that nobody has told the daemon of yet.
    details: updates === undefined ? rest : { ...rest, keys: Object.keys(updates) },
  }
}

function endOf(ended: { result: unknown } | { error: unknown }): Pick<AuditEvent, 'outcome' | 'details'> {
  if (!('error' in ended)) return { outcome: 'done', details: {} }
  const { error } = ended
  const code = isPhantomError(error) ? error.code : 'INTERNAL_ERROR'
  return { outcome: REFUSALS.has(code) ? 'refused' : 'failed', details: { code, message: messageOf(error) } }
}

function unrecorded(method: string, outcome: string, cause: unknown): PhantomError {
  return new PhantomError(
    'AUDIT_UNAVAILABLE',
    `Cannot record how "${method}" ended: ${messageOf(cause)}. It was ${outcome}; only its last line is missing`,
    { cause, details: { method, outcome, was_done: outcome === 'done' } },
  )
}

function pluginOf(params: unknown): string | null {
  if (typeof params !== 'object' || params === null || !('plugin_id' in params)) return null
  return textOf(params.plugin_id)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
