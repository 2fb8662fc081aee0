import type { AuditProblem, AuditRecord } from '../../src/contract/audit.ts'
import type { Checkpoint } from '../store/checkpoint-table.ts'
import { CHAIN_START, type ChainHead, readChainLine } from './audit-chain.ts'

interface Place {
  readonly file: string
  readonly line: number
}

/** Takes the log's lines in order and collects what does not fit. Pure. */
export class ChainCheck {
  readonly problems: AuditProblem[] = []
  records = 0
  firstSequence: number | null = null
  lastSequence: number | null = null
  lastHash: string | null = null
  readonly #checkpoints: ReadonlyMap<number, string>
  #first: { record: AuditRecord; place: Place } | null = null
  /** Files that were removed in order: up to where, by the newest record of it. */
  #retired: ChainHead = CHAIN_START
  /** A line that was no record, or not the one that was written: its successor is not blamed for it. */
  #isBroken = false

  constructor(checkpoints: readonly Checkpoint[]) {
    this.#checkpoints = new Map(checkpoints.map(({ sequence, hash }) => [sequence, hash]))
  }

  take(text: string, { isTorn, ...place }: Place & { isTorn: boolean }): void {
    if (isTorn) {
      this.#report(
        'torn',
        place,
        'the last line is not whole: it was cut, or its daemon was killed while it wrote',
      )
      return
    }
    const read = readChainLine(text)
    if (read === null) {
      this.#report('changed', place, 'this is no record')
      this.#isBroken = true
      return
    }
    this.records += 1
    this.#compare(read.record, place)
    const { sequence, hash } = read.record
    if (!read.isWhole)
      this.#report('changed', place, `record ${sequence} was changed: its hash is not that of its text`)
    this.#isBroken = !read.isWhole
    const checkpoint = this.#checkpoints.get(sequence)
    if (checkpoint !== undefined && checkpoint !== hash)
      this.#report('changed', place, `record ${sequence} is not the one that its checkpoint names`)
    this.lastSequence = sequence
    this.lastHash = hash
    this.#noteRetired(read.record)
    this.#noteBroken(read.record, place)
  }

  /** @param end the last line that must be there; null where nobody knows */
  end(end: (ChainHead & { isLast: boolean }) | null, place: Place): void {
    this.#checkBeginning()
    if (end === null) return
    const last = this.lastSequence ?? 0
    if (last < end.sequence) this.#report('cut', place, `${areMissing(last + 1, end.sequence)} at the end`)
    else if (last === end.sequence && this.lastHash !== end.hash && !this.#checkpoints.has(last))
      this.#report('changed', place, `record ${last} is not the one that was written`)
    else if (last > end.sequence && end.isLast)
      this.#report('forged', place, `records ${end.sequence + 1} to ${last} were not written by the daemon`)
  }

  #compare(record: AuditRecord, place: Place): void {
    const { sequence, previous } = record
    if (this.lastSequence === null) {
      this.firstSequence = sequence
      this.#first = { record, place }
      return
    }
    const expected = this.lastSequence + 1
    if (sequence < expected) {
      this.#report('reordered', place, `record ${sequence} stands behind record ${this.lastSequence}`)
      return
    }
    if (sequence > expected && !this.#isBroken) {
      this.#report('missing', place, `${areMissing(expected, sequence - 1)} before record ${sequence}`)
      return
    }
    if (previous !== this.lastHash && !this.#isBroken)
      this.#report(
        'forged',
        place,
        `record ${sequence} does not follow the one before it: one of them is another`,
      )
  }

  /** The oldest line must be the first of all, or follow the last one that was removed in order. */
  #checkBeginning(): void {
    if (this.#first === null) return
    const { record, place } = this.#first
    const before = { sequence: record.sequence - 1, hash: record.previous }
    if (before.sequence === this.#retired.sequence && before.hash === this.#retired.hash) return
    if (before.sequence > this.#retired.sequence)
      this.#report('missing', place, areMissing(this.#retired.sequence + 1, before.sequence))
    else if (before.sequence === this.#retired.sequence)
      this.#report('forged', place, `record ${record.sequence} does not follow the one before it`)
  }

  /** Its chain may be whole again behind that: what was there before is not. */
  #noteBroken({ action, details }: AuditRecord, place: Place): void {
    if (action === 'audit.broken')
      this.#report('broken', place, `the daemon found that ${String(details['what'])}`)
  }

  #noteRetired({ action, details }: AuditRecord): void {
    if (action !== 'audit.retired') return
    const { last_sequence: sequence, last_hash: hash } = details
    if (typeof sequence === 'number' && typeof hash === 'string' && sequence > this.#retired.sequence)
      this.#retired = { sequence, hash }
  }

  #report(kind: AuditProblem['kind'], { file, line }: Place, message: string): void {
    this.problems.push({ kind, file, line, message })
  }
}

function areMissing(first: number, last: number): string {
  return first === last ? `record ${first} is missing` : `records ${first} to ${last} are missing`
}
