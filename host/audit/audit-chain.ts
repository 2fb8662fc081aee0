import { createHash } from 'node:crypto'
import type { AuditRecord } from '../../src/contract/audit.ts'
import { escapeControlInJson } from '../observe/escape-control.ts'

/** Where a chain stands: the last line's number and hash. */
export interface ChainHead {
  readonly sequence: number
  readonly hash: string
}

/** Before the first line. */
export const CHAIN_START: ChainHead = { sequence: 0, hash: '0'.repeat(64) }

/** `,"hash":"` and 64 digits and `"}` */
const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/

/** What a line holds besides its place in the chain. */
export type AuditBody = Omit<AuditRecord, 'sequence' | 'previous' | 'hash'>

/** The next line, without its newline, and the head after it. */
export function toChainLine(
  body: AuditBody,
  after: ChainHead,
  sequence = after.sequence + 1,
): { line: string; head: ChainHead } {
  const { time, action, plugin_id, outcome, actor, details } = body
  const record = { sequence, time, action, plugin_id, outcome, actor, details, previous: after.hash }
  const text = escapeControlInJson(JSON.stringify(record))
  const hash = sha256(text)
  return { line: `${text.slice(0, -1)},"hash":"${hash}"}`, head: { sequence, hash } }
}

/** What stands on a line, and whether its hash is that of its text; null where it is no record at all. */
export function readChainLine(line: string): { record: AuditRecord; isWhole: boolean } | null {
  const member = HASH_MEMBER.exec(line)
  if (member === null) return null
  const record = parseAuditLine(line)
  if (record === null) return null
  const isWhole = sha256(`${line.slice(0, member.index)}}`) === member[1] && record.hash === member[1]
  return { record, isWhole }
}

/** What stands on a line, whether or not its hash is right; null where it is no record. */
export function parseAuditLine(line: string): AuditRecord | null {
  try {
    const value = JSON.parse(line) as Partial<AuditRecord> | null
    const isRecord =
      Number.isSafeInteger(value?.sequence) &&
      typeof value?.previous === 'string' &&
      typeof value.action === 'string' &&
      typeof value.time === 'string' &&
      typeof value.details === 'object' &&
      value.details !== null
    return isRecord ? (value as AuditRecord) : null
  } catch {
    // Not JSON: then it is no record of ours.
    return null
  }
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
