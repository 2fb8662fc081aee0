import type { AuditActor, AuditOutcome, AuditRecord, AuditVerification } from '../../src/contract/audit.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { CheckpointTable } from '../store/checkpoint-table.ts'
import { EventFold } from './event-fold.ts'
import { toBoundedDetails, toBoundedText } from './bounded-details.ts'
import { AuditWriter, type AuditNotice } from './audit-writer.ts'
import { queryAudit, type AuditQuery } from './query-audit.ts'
import { openSnapshot, verifyAudit } from './verify-audit.ts'

/** Something that happened, as the parts of the daemon tell it. */
export interface AuditEvent {
  /** Dotted: `plugin.approved`, `call.denied`, `egress.refused`, … */
  readonly action: string
  readonly plugin_id: string | null
  readonly outcome: AuditOutcome
  /** Null: the daemon, or the plugin itself. */
  readonly actor: AuditActor | null
  readonly details: Readonly<Record<string, unknown>>
}

export interface AuditLogOptions {
  readonly stateDirectory: string
  readonly checkpoints: CheckpointTable
  readonly maxFileBytes: number
  /** The one that grows among them. */
  readonly maxFiles: number
  readonly redact: (text: string) => string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told once for each stretch in which nothing can be written. */
  readonly onError: (error: unknown) => void
}

/** What waits for a disk that is full; beyond it what was not done is counted alone. */
const MAX_WAITING = 2_000
/** Lines that nobody waits for are on the disk, and have their checkpoint, after this time. */
const IDLE_MS = 1_000

/** An act that has no line of its beginning is not done. */
const MAY_BE_LOST: ReadonlySet<AuditOutcome> = new Set<AuditOutcome>(['refused', 'begun'])

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: PhantomError) => void
}

/**
 * The audit log: `record` never waits and never fails; `settled` says when what was recorded is on the disk, and
 * rejects when it can't be. Lines are written in batches, one behind the other, and chained as they are written.
 */
export class AuditLog {
  readonly #options: AuditLogOptions
  readonly #writer: AuditWriter
  readonly #fold = new EventFold()
  readonly #listeners = new Set<(record: AuditRecord) => void>()
  #waiting: AuditNotice[] = []
  #waiters: Waiter[] = []
  #lost = 0
  #isWriting = false
  #isFailing = false
  #isClosed = false
  #timer: NodeJS.Timeout | null = null

  constructor(options: AuditLogOptions) {
    this.#options = options
    this.#writer = new AuditWriter(options)
  }

  record(event: AuditEvent): void {
    if (this.#isClosed) return
    if (this.#fold.admits(event, this.#options.now())) this.#enqueue(event)
    this.#goOn()
  }

  /**
   * Resolves when everything recorded so far is on the disk.
   *
   * @throws PhantomError AUDIT_UNAVAILABLE
   */
  async settled(): Promise<void> {
    if (this.#isClosed) return
    await this.#settle()
  }

  async #settle(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      void this.#write()
    })
  }

  /** Calls for each line from now on; the answer ends it. */
  subscribe(listener: (record: AuditRecord) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The last lines that match, the oldest first. */
  async query(query: AuditQuery): Promise<AuditRecord[]> {
    await this.#tryToSettle()
    return await queryAudit(this.#options.stateDirectory, query)
  }

  /** Reads every line that is kept and compares it with its neighbours, the checkpoints and our own head. */
  async verify(): Promise<AuditVerification> {
    await this.#tryToSettle()
    // Between two writes, so that no file is turned over while they are opened.
    const { snapshot, head } = await this.#writer.between(() => ({
      snapshot: openSnapshot(this.#options.stateDirectory, this.#options.checkpoints.all()),
      head: this.#writer.head,
    }))
    return await verifyAudit(snapshot, head)
  }

  /** Writes what waits and the last checkpoint. Twice is fine. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    for (const event of this.#fold.takeDue(this.#options.now(), true)) this.#enqueue(event)
    this.#isClosed = true
    await this.#tryToSettle()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#listeners.clear()
    await this.#writer.close().catch(this.#options.onError)
  }

  #enqueue(event: AuditEvent): void {
    if (this.#waiting.length >= MAX_WAITING && MAY_BE_LOST.has(event.outcome)) {
      this.#lost += 1
      return
    }
    // Now, and not when it is written: the caller may change what it gave us.
    const { redact, now } = this.#options
    const time = new Date(now()).toISOString()
    this.#waiting.push({
      time,
      action: toBoundedText(event.action, redact),
      plugin_id: event.plugin_id === null ? null : toBoundedText(event.plugin_id, redact),
      outcome: event.outcome,
      actor:
        event.actor === null ? null : (toBoundedDetails({ ...event.actor }, redact) as unknown as AuditActor),
      details: toBoundedDetails(event.details, redact),
    })
  }

  /** A disk that refused is asked again by the timer, and by whoever waits. */
  #goOn(): void {
    if (!this.#isFailing && this.#waiting.length > 0) void this.#write()
    else this.#wakeLater()
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    while (this.#waiting.length > 0 || this.#waiters.length > 0) {
      const waiters = this.#waiters.splice(0)
      if (!(await this.#writeOnce(waiters))) break
    }
    this.#isWriting = false
    this.#wakeLater()
  }

  async #writeOnce(waiters: readonly Waiter[]): Promise<boolean> {
    try {
      this.#takeLost()
      const batch = this.#waiting
      this.#waiting = []
      const records = await this.#writeOrPutBack(batch, waiters.length > 0)
      this.#isFailing = false
      for (const { resolve } of waiters) resolve()
      for (const record of records) for (const listener of this.#listeners) listener(record)
      return true
    } catch (error) {
      if (!this.#isFailing) this.#options.onError(error)
      this.#isFailing = true
      for (const { reject } of waiters) reject(this.#inWords(error))
      return false
    }
  }

  async #writeOrPutBack(batch: AuditNotice[], mustSync: boolean): Promise<AuditRecord[]> {
    try {
      return await this.#writer.write(batch, mustSync)
    } catch (error) {
      // What the writer could place it has taken out of the batch.
      this.#waiting = [...batch, ...this.#waiting]
      throw error
    }
  }

  #takeLost(): void {
    const lost = this.#lost
    if (lost === 0 || this.#waiting.length >= MAX_WAITING) return
    this.#lost = 0
    this.#enqueue({
      action: 'audit.lost',
      plugin_id: null,
      outcome: 'failed',
      actor: null,
      details: { lost },
    })
  }

  #wakeLater(): void {
    const isIdle = this.#fold.isIdle && !this.#writer.isDirty && this.#waiting.length === 0
    if (isIdle || this.#timer !== null || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      for (const event of this.#fold.takeDue(this.#options.now())) this.#enqueue(event)
      if (this.#waiting.length > 0 || this.#writer.isDirty) void this.#tryToSettle()
      else this.#wakeLater()
    }, IDLE_MS)
    this.#timer.unref()
  }

  async #tryToSettle(): Promise<void> {
    // Whoever needs to know asks `settled`; the failure is in the daemon's log.
    await this.#settle().catch(() => undefined)
  }

  #inWords(error: unknown): PhantomError {
    return new PhantomError(
      'AUDIT_UNAVAILABLE',
      `Cannot record in the audit log of "${this.#options.stateDirectory}": ${messageOf(error)}. Administrative ` +
        'acts are refused until it can be written: make room on the disk, or mend the folder',
      { cause: error, details: { state_directory: this.#options.stateDirectory } },
    )
  }
}
