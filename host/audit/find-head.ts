import type { AuditRecord } from '../../src/contract/audit.ts'
import type { Checkpoint } from '../store/checkpoint-table.ts'
import { CHAIN_START, type ChainHead, readChainLine } from './audit-chain.ts'
import { listAuditFiles, readTail } from './audit-files.ts'

export interface FoundHead {
  readonly head: ChainHead
  /** Beyond all that was ever written, so that what is missing stays missing. */
  readonly nextSequence: number
  /** What does not fit between the files and the last checkpoint; null when all does. */
  readonly fault: Readonly<Record<string, unknown>> | null
}

/** Where the chain was left, by the last line of the newest file and the last checkpoint. */
export function findHead(folder: string, checkpoint: Checkpoint | null): FoundHead {
  const line = lastLineOf(folder)
  const read = line === null ? null : readChainLine(line)
  const known = checkpoint?.sequence ?? 0
  const found = read?.record.sequence ?? 0
  const fault = faultOf({ line, read }, checkpoint)
  return {
    head: headOf(read?.record ?? null, checkpoint),
    nextSequence: Math.max(known, found) + 1,
    fault: fault === null ? null : { what: fault, checkpoint_sequence: known, found_sequence: found },
  }
}

/** The last record of a file, as far as it is one. */
export function readRecordOf(folder: string, name: string): AuditRecord | null {
  const { line } = readTail(folder, name)
  return line === null ? null : (readChainLine(line)?.record ?? null)
}

function headOf(record: AuditRecord | null, checkpoint: Checkpoint | null): ChainHead {
  if (record !== null) return { sequence: record.sequence, hash: record.hash }
  return checkpoint === null ? CHAIN_START : { sequence: checkpoint.sequence, hash: checkpoint.hash }
}

function lastLineOf(folder: string): string | null {
  for (const name of listAuditFiles(folder).toReversed()) {
    const { line } = readTail(folder, name)
    if (line !== null) return line
  }
  return null
}

function faultOf(
  { line, read }: { line: string | null; read: ReturnType<typeof readChainLine> },
  checkpoint: Checkpoint | null,
): string | null {
  if (line !== null && read?.isWhole !== true) return 'the last line was changed'
  const found = read?.record.sequence ?? 0
  if (checkpoint === null) return found === 0 ? null : 'the state database holds no checkpoint of this log'
  if (found < checkpoint.sequence)
    return `the lines ${found + 1} to ${checkpoint.sequence} are missing at the end`
  if (found === checkpoint.sequence && read?.record.hash !== checkpoint.hash)
    return 'the last line is another one than at the last checkpoint'
  if (found > checkpoint.sequence && checkpoint.isClosed)
    return `lines were added after the log was closed at ${checkpoint.sequence}`
  return null
}
