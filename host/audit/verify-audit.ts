import { closeSync, createReadStream, openSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditProblem, AuditVerification } from '../../src/contract/audit.ts'
import type { Checkpoint } from '../store/checkpoint-table.ts'
import type { ChainHead } from './audit-chain.ts'
import { AUDIT_FILE, listAuditFiles, readLines } from './audit-files.ts'
import { ChainCheck } from './chain-check.ts'

/** Enough to see what happened; a rewritten log would give one for each line. */
const MAX_PROBLEMS = 100

/** The log's files, held open: what is turned over meanwhile is read all the same. */
export interface AuditSnapshot {
  readonly files: readonly { readonly name: string; readonly descriptor: number }[]
  readonly checkpoints: readonly Checkpoint[]
}

export function openSnapshot(folder: string, checkpoints: readonly Checkpoint[]): AuditSnapshot {
  const files: { name: string; descriptor: number }[] = []
  try {
    for (const name of listAuditFiles(folder))
      files.push({ name, descriptor: openSync(join(folder, name), 'r') })
  } catch (error) {
    for (const { descriptor } of files) closeSync(descriptor)
    throw error
  }
  return { files, checkpoints }
}

/**
 * Reads every line and says what does not fit. Closes the snapshot.
 *
 * @param head what the daemon that writes the log knows of it; null where none runs
 */
export async function verifyAudit(
  { files, checkpoints }: AuditSnapshot,
  head: ChainHead | null,
): Promise<AuditVerification> {
  const check = new ChainCheck(checkpoints)
  let file = AUDIT_FILE
  let line = 0
  for (const { name, descriptor } of files) {
    file = name
    line = 0
    const stream = createReadStream('', { fd: descriptor }) as AsyncIterable<Buffer>
    for await (const { text, isTorn } of readLines(stream)) {
      line += 1
      check.take(text, { file, line, isTorn })
    }
  }
  check.end(endOf(checkpoints, head), { file, line })
  return toVerification(check, { files: files.map(({ name }) => name), checkpoints, head })
}

/** The last line that must be there, and whether another may follow. */
function endOf(
  checkpoints: readonly Checkpoint[],
  head: ChainHead | null,
): (ChainHead & { isLast: boolean }) | null {
  if (head !== null) return { ...head, isLast: true }
  const latest = checkpoints.at(-1)
  return latest === undefined ? null : { ...latest, isLast: latest.isClosed }
}

function toVerification(
  check: ChainCheck,
  facts: { files: readonly string[]; checkpoints: readonly Checkpoint[]; head: ChainHead | null },
): AuditVerification {
  const problems: AuditProblem[] = check.problems.slice(0, MAX_PROBLEMS)
  const notes: string[] = []
  if (check.problems.length > MAX_PROBLEMS)
    notes.push(`${check.problems.length - MAX_PROBLEMS} more problems`)
  if (facts.checkpoints.length === 0)
    notes.push('the state database holds no checkpoint: lines that were cut off the end would not be found')
  const latest = facts.checkpoints.at(-1)
  if (facts.head === null && latest !== undefined && !latest.isClosed && check.lastSequence !== null) {
    const unproven = check.lastSequence - latest.sequence
    if (unproven > 0)
      notes.push(
        `${unproven} lines follow the last checkpoint of a daemon that was killed: chained, and no more`,
      )
  }
  return {
    ok: check.problems.length === 0,
    records: check.records,
    first_sequence: check.firstSequence,
    last_sequence: check.lastSequence,
    last_hash: check.lastHash,
    files: facts.files,
    checkpoints: facts.checkpoints.length,
    problems,
    notes,
  }
}
