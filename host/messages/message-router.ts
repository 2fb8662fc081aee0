import { randomBytes } from 'node:crypto'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { MessageOrigin, SentMessage } from '../../src/contract/messages.ts'
import type { AuditEvent } from '../audit/audit-log.ts'
import type { HostConfig } from '../config/config-schema.ts'
import type { Caller, Settlement } from '../execution/execution.ts'
import type { Executor } from '../execution/executor.ts'
import type { PluginLogs } from '../observe/plugin-log.ts'
import type { PluginRegistry } from '../registry/plugin-registry.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { messageOperation } from './message-operation.ts'
import { refuseUnlessTaken } from './refuse-unless-taken.ts'

const MEGABYTE = 1024 * 1024
/** Messages without an answer hold at most this many of the largest payloads, and the one that fills it. */
const HELD_PAYLOADS = 2

export interface Letter {
  /** The plugin whose process it came from, or the name that an application gives. */
  readonly sender: string
  readonly origin: MessageOrigin
  readonly recipient: string
  readonly type: string
  /** JSON; null where there is none. */
  readonly payload: Buffer | null
  /** Canonical: it goes to the recipient's process for the same one. */
  readonly workspace: string
  readonly caller: Caller
}

interface RouterPowers {
  readonly registry: Pick<PluginRegistry, 'getRunnable'>
  readonly executor: Pick<Executor, 'submit'>
  readonly config: () => Pick<HostConfig, 'limits'>
  readonly record: (event: AuditEvent) => void
  readonly onLog: PluginLogs['append']
}

/**
 * Passes messages on. A message is a call of its recipient that nobody waits for: it waits in the same queue, has the
 * same limits and the same end. So a sender is answered as soon as it waits, and no two plugins wait for each other.
 */
export class MessageRouter {
  readonly #powers: RouterPowers
  readonly #idPrefix = randomBytes(4).toString('hex')
  readonly #maxPayloadBytes: number
  #sent = 0
  #heldBytes = 0

  constructor(powers: RouterPowers) {
    this.#powers = powers
    this.#maxPayloadBytes = powers.config().limits.maxPayloadMb * MEGABYTE
  }

  /**
   * Puts a message into its recipient's queue.
   *
   * @throws PhantomError MESSAGE_REFUSED, PAYLOAD_TOO_LARGE, QUEUE_FULL, and why the recipient does not run
   */
  send(letter: Letter): SentMessage {
    const plugin = this.#recipientOf(letter)
    const bytes = this.#roomFor(letter)
    const id = this.#nextId()
    this.#hold(bytes)
    // What a lane that is closed refuses has its end before `submit` returns.
    const early: Settlement[] = []
    let isTaken = false
    const onSettled = (settlement: Settlement): void => {
      this.#hold(-bytes)
      if (isTaken) this.#settled(plugin, letter, settlement)
      else early.push(settlement)
    }
    try {
      this.#submit(plugin, { letter, id, onSettled })
    } catch (error) {
      this.#hold(-bytes)
      throw error
    }
    isTaken = true
    for (const settlement of early) if (settlement.kind === 'rejected') throw settlement.error as Error
    return { message_id: id }
  }

  #recipientOf(letter: Letter): RunnablePlugin {
    const { sender, origin, recipient, type } = letter
    try {
      const plugin = this.#powers.registry.getRunnable(recipient, null)
      refuseUnlessTaken(plugin, letter)
      return plugin
    } catch (error) {
      // Of applications the socket's own audit tells.
      if (origin === 'plugin') {
        this.#powers.record({
          action: 'message.refused',
          plugin_id: sender,
          outcome: 'refused',
          actor: null,
          details: { recipient, type, message: messageOf(error) },
        })
      }
      throw error
    }
  }

  #roomFor({ recipient, type, payload }: Letter): number {
    const maxPayloadBytes = this.#maxPayloadBytes
    const bytes = payload?.length ?? 0
    const what = `Cannot send "${type}" to "${recipient}"`
    if (bytes > maxPayloadBytes) {
      throw new PhantomError(
        'PAYLOAD_TOO_LARGE',
        `${what}: its payload is ${bytes} bytes of JSON, at most ${maxPayloadBytes} are allowed. Send less`,
        { details: { limit: maxPayloadBytes, measured: bytes } },
      )
    }
    const limit = HELD_PAYLOADS * maxPayloadBytes
    if (bytes === 0 || this.#heldBytes < limit) return bytes
    throw new PhantomError(
      'QUEUE_FULL',
      `${what}: messages that wait hold ${this.#heldBytes} bytes, and ${HELD_PAYLOADS} times limits.max_payload_mb ` +
        `(${limit} bytes) is the most. Try again later`,
      { details: { held: this.#heldBytes, limit } },
    )
  }

  #submit(
    plugin: RunnablePlugin,
    message: { letter: Letter; id: string; onSettled: (settlement: Settlement) => void },
  ): void {
    const { letter, id, onSettled } = message
    const { sender, origin, type, payload, workspace, caller } = letter
    this.#powers.executor.submit(
      {
        plugin,
        operation: messageOperation(type),
        message: { sender, type, message_id: id, origin },
        workspace,
        timeoutMs: null,
        priority: 'normal',
        caller,
        onProgress: null,
        park: () => false,
        onSettled,
      },
      payload,
    )
  }

  /** Nobody hears of it but whoever reads the recipient's log. */
  #settled({ id }: RunnablePlugin, { sender, origin, type }: Letter, settlement: Settlement): void {
    const words = settlement.kind === 'rejected' ? messageOf(settlement.error) : settlement.fault
    if (words === null) return
    const by = origin === 'application' ? `an application as "${sender}"` : `"${sender}"`
    this.#powers.onLog({
      time: new Date().toISOString(),
      plugin_id: id,
      level: 'error',
      source: 'host',
      execution_id: null,
      message: `the message "${type}" of ${by} failed: ${words}`,
    })
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes
  }

  #nextId(): string {
    this.#sent += 1
    return `${this.#idPrefix}-${this.#sent.toString(36)}`
  }
}
