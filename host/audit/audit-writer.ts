import type { AuditRecord } from '../../src/contract/audit.ts'
import type { CheckpointTable } from '../store/checkpoint-table.ts'
import { type AuditBody, CHAIN_START, type ChainHead, toChainLine } from './audit-chain.ts'
import { AuditFile } from './audit-file.ts'
import { AUDIT_FILE, listAuditFiles, readFirstLine } from './audit-files.ts'
import { findHead, readRecordOf } from './find-head.ts'

/** What is to become a line. */
export type AuditNotice = AuditBody

export interface AuditWriterOptions {
  readonly stateDirectory: string
  readonly checkpoints: CheckpointTable
  readonly maxFileBytes: number
  readonly maxFiles: number
  readonly now: () => number
}

/** The chain's end on the disk: opens it where it was left, adds lines, turns files over, writes checkpoints. */
export class AuditWriter {
  readonly #options: AuditWriterOptions
  readonly #file: AuditFile
  #head: ChainHead | null = null
  #nextSequence = 1
  /** Of the file that grows; null while it is empty. */
  #firstSequence: number | null = null
  #isDirty = false
  #notices: AuditNotice[] = []
  #retired: string[] = []
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: AuditWriterOptions) {
    this.#options = options
    this.#file = new AuditFile(options.stateDirectory)
  }

  /** Null until something was written. */
  get head(): ChainHead | null {
    return this.#head
  }

  /** Whether lines wait for their checkpoint. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /** Runs while nothing is written. */
  async between<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return await turn
  }

  /** Takes what it could place out of `batch`, and answers with the lines' records. */
  async write(batch: AuditNotice[], mustSync: boolean): Promise<AuditRecord[]> {
    return await this.between(async () => {
      await this.#prepare()
      const records = await this.#append(batch)
      if (mustSync || this.#retired.length > 0) await this.#sync()
      return records
    })
  }

  /** The last checkpoint says that nothing may follow. */
  async close(): Promise<void> {
    await this.between(async () => {
      if (!this.#file.isOpen) return
      try {
        if (this.#head !== null) {
          await this.#file.sync()
          this.#options.checkpoints.save({ ...this.#head, isClosed: true })
        }
      } finally {
        await this.#file.close()
      }
    })
  }

  async #prepare(): Promise<void> {
    if (!this.#file.isOpen) await this.#open()
    else if (!(await this.#file.isInPlace())) await this.#reopen()
  }

  async #open(): Promise<void> {
    const { stateDirectory, checkpoints } = this.#options
    const torn = await this.#file.setTornLineAside()
    if (torn !== null) this.#notice('audit.torn_line', 'done', { ...torn })
    const checkpoint = checkpoints.latest()
    const found = findHead(stateDirectory, checkpoint)
    checkpoints.reopen()
    await this.#file.open()
    // Before the first line: a log with lines and without any checkpoint is one whose checkpoints were lost.
    if (checkpoint === null && found.fault === null) checkpoints.save({ ...CHAIN_START, isClosed: false })
    this.#head ??= found.head
    this.#nextSequence = Math.max(this.#nextSequence, found.nextSequence)
    this.#firstSequence = firstSequenceOf(stateDirectory)
    if (found.fault !== null) this.#notice('audit.broken', 'failed', found.fault)
  }

  /** The file was moved or removed under us: the chain goes on in the one that has its name now. */
  async #reopen(): Promise<void> {
    await this.#file.close()
    await this.#file.setTornLineAside()
    await this.#file.open()
    this.#firstSequence = firstSequenceOf(this.#options.stateDirectory)
    const what = `"${AUDIT_FILE}" was moved, removed or replaced while the daemon wrote it`
    this.#notice('audit.broken', 'failed', { what, last_sequence: this.#head?.sequence ?? 0 })
  }

  async #append(batch: AuditNotice[]): Promise<AuditRecord[]> {
    const lines = this.#toLines([...this.#notices, ...batch])
    if (lines.text === '') return []
    const isFull = this.#file.sizeBytes + Buffer.byteLength(lines.text) > this.#options.maxFileBytes
    if (isFull && this.#file.sizeBytes > 0) {
      await this.#turnOver()
      return await this.#append(batch)
    }
    await this.#file.append(lines.text)
    this.#firstSequence ??= this.#nextSequence
    this.#head = lines.head
    this.#nextSequence = lines.head.sequence + 1
    this.#isDirty = true
    this.#notices = []
    batch.length = 0
    return lines.records
  }

  #toLines(bodies: readonly AuditNotice[]): { text: string; head: ChainHead; records: AuditRecord[] } {
    let text = ''
    let head = this.#head!
    let sequence = this.#nextSequence
    const records: AuditRecord[] = []
    for (const body of bodies) {
      const next = toChainLine(body, head, sequence)
      records.push({ sequence, ...body, previous: head.hash, hash: next.head.hash })
      text += `${next.line}\n`
      head = next.head
      sequence += 1
    }
    return { text, head, records }
  }

  async #sync(): Promise<void> {
    await this.#file.sync()
    this.#options.checkpoints.save({ ...this.#head!, isClosed: false })
    this.#isDirty = false
    for (const name of this.#retired.splice(0)) await this.#file.remove(name)
  }

  /** The first line of the new file names the last of the old one, by `previous` and in words. */
  async #turnOver(): Promise<void> {
    const { stateDirectory, maxFiles } = this.#options
    const { sequence, hash } = this.#head!
    const first = this.#firstSequence ?? sequence
    const file = await this.#file.turnOver(first)
    await this.#file.open()
    this.#firstSequence = null
    const turned = { file, first_sequence: first, last_sequence: sequence, last_hash: hash }
    this.#notice('audit.rotated', 'done', turned)
    const names = listAuditFiles(stateDirectory)
    for (const name of names.slice(0, Math.max(0, names.length - maxFiles))) {
      const last = readRecordOf(stateDirectory, name)
      this.#notice('audit.retired', 'done', {
        file: name,
        last_sequence: last?.sequence ?? null,
        last_hash: last?.hash ?? null,
      })
      this.#retired.push(name)
    }
  }

  #notice(action: string, outcome: 'done' | 'failed', details: Readonly<Record<string, unknown>>): void {
    const time = new Date(this.#options.now()).toISOString()
    this.#notices.push({ time, action, plugin_id: null, outcome, actor: null, details })
  }
}

function firstSequenceOf(folder: string): number | null {
  const line = readFirstLine(folder, AUDIT_FILE)
  return line === null ? null : (readSequence(line) ?? null)
}

function readSequence(line: string): number | null {
  const found = /^\{"sequence":(\d{1,15}),/.exec(line)
  return found === null ? null : Number(found[1])
}
