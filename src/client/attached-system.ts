import { METHOD_ROLES } from '../contract/method-roles.ts'
import type { SystemMethod, SystemParams, SystemResults } from '../contract/system-methods.ts'
import type { Attached } from './attach.ts'
import type { DaemonSession, FollowedMethod, FollowedUpdate } from './daemon-session.ts'
import { openOperatorSession } from './open-operator-session.ts'

/** How a subscription goes on after its first answer. */
export interface FollowOptions<Update> {
  /** Called with every later update until `signal` aborts or the system is shut down; absent: one answer. */
  on_update?: (update: Update) => void
  /** Milliseconds between updates, from 100 to an hour; 1000 unless given. */
  interval_ms?: number
  signal?: AbortSignal
}

export interface Following<M extends FollowedMethod> {
  method: M
  /** As they are sent to be answered once, and with what asks to go on. */
  params: { once: SystemParams<M>; follow: SystemParams<M> }
  listener: ((update: FollowedUpdate<M>) => void) | undefined
  signal: AbortSignal | undefined
}

/** A session with a daemon, from `attach` to `shutdown`; the groups of methods build upon it. */
export abstract class AttachedSystem implements AsyncDisposable {
  #attached: Attached | null = null
  #leaving: Promise<void> | null = null
  #operator: Promise<DaemonSession> | null = null

  /**
   * Leaves the system. A private daemon ends with its last application, and then this settles when it and every
   * runner are gone; a daemon of `phantom serve` goes on. Twice is fine.
   */
  shutdown(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  protected get isAttached(): boolean {
    return this.#attached !== null
  }

  protected attach(attached: Attached): void {
    this.#attached = attached
  }

  protected session(): DaemonSession {
    if (this.#leaving !== null) throw new TypeError('Cannot use this plugin system: it was shut down')
    if (this.#attached === null) throw new TypeError('Cannot use this plugin system: call initialize() first')
    return this.#attached.session
  }

  protected async request<M extends SystemMethod>(
    method: M,
    params: SystemParams<M>,
  ): Promise<SystemResults[M]> {
    const session = this.session()
    return METHOD_ROLES[method] === 'operator'
      ? await (await this.#operatorSession(session)).request(method, params)
      : await session.request(method, params)
  }

  /** For what applications may ask of their own and operators of everybody's: as operator where this process may be. */
  protected async requestWidest<M extends SystemMethod>(
    method: M,
    params: SystemParams<M>,
  ): Promise<SystemResults[M]> {
    return await (await this.#widestSession(this.session())).request(method, params)
  }

  /** Resolves with the first answer; with a listener the request then goes on. */
  protected async follow<M extends FollowedMethod>(asked: Following<M>): Promise<SystemResults[M]> {
    const { method, params, listener, signal } = asked
    const session = await this.#sessionToFollow(method)
    if (listener === undefined || signal?.aborted === true) return await session.request(method, params.once)
    const following = session.follow(method, params.follow, listener)
    signal?.addEventListener('abort', following.stop, { once: true })
    try {
      return await following.answer
    } catch (error) {
      signal?.removeEventListener('abort', following.stop)
      throw error
    }
  }

  async #sessionToFollow(method: FollowedMethod): Promise<DaemonSession> {
    const session = this.session()
    // An application gets it, too, without the words of the last error.
    if (method === 'get_plugin_health') return await this.#widestSession(session)
    return METHOD_ROLES[method] === 'operator' ? await this.#operatorSession(session) : session
  }

  async #widestSession(session: DaemonSession): Promise<DaemonSession> {
    return await this.#operatorSession(session).catch(() => session)
  }

  /**
   * Opened by the first method that needs it, again where it broke, and then kept. Known as soon as it is asked for: who
   * leaves in the same moment must not leave it behind.
   */
  async #operatorSession(session: DaemonSession): Promise<DaemonSession> {
    if (session.handshake.role === 'operator' || session.isClosed) return session
    this.#operator = keptOrOpened(this.#operator, session)
    return await this.#operator
  }

  async #leave(): Promise<void> {
    if (this.#attached === null) return
    const { session, daemonExited } = this.#attached
    // Its goodbye first: a private daemon ends with the last one.
    const operator = (await this.#operator?.catch(() => null)) ?? null
    if (operator?.isClosed === false) await operator.request('shutdown', {}).catch(() => undefined)
    // It may have acts under way, and closes when those are answered: the end of the daemon answers them.
    const operatorClosed = operator?.close()
    if (!session.isClosed) {
      const { stopped } = await session.request('shutdown', {}).catch(() => ({ stopped: true }))
      await session.close()
      if (stopped) await daemonExited?.()
    }
    await operatorClosed
  }
}

async function keptOrOpened(
  kept: Promise<DaemonSession> | null,
  session: DaemonSession,
): Promise<DaemonSession> {
  const known = (await kept?.catch(() => null)) ?? null
  return known === null || known.isClosed ? await openOperatorSession(session) : known
}
