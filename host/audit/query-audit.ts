import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditRecord } from '../../src/contract/audit.ts'
import { parseAuditLine } from './audit-chain.ts'
import { listAuditFiles, readLines } from './audit-files.ts'

export interface AuditQuery {
  readonly pluginId?: string | undefined
  /** The whole action, or its beginning where it ends with a dot. */
  readonly action?: string | undefined
  /** ISO 8601; only lines of that time and later. */
  readonly since?: string | undefined
  readonly limit: number
}

/** The last lines that match, the oldest first. What is no record is left out: `verify` tells of it. */
export async function queryAudit(folder: string, query: AuditQuery): Promise<AuditRecord[]> {
  let found: AuditRecord[] = []
  for (const name of listAuditFiles(folder).toReversed()) {
    const { records, isOlder } = await queryFile(join(folder, name), query)
    found = [...records, ...found].slice(-query.limit)
    if (found.length >= query.limit || isOlder) break
  }
  return found
}

/** `isOlder`: the file begins before the time asked for, so those before it need not be read. */
async function queryFile(
  path: string,
  query: AuditQuery,
): Promise<{ records: AuditRecord[]; isOlder: boolean }> {
  const records: AuditRecord[] = []
  let isOlder = false
  const file = await openIfThere(path)
  if (file === null) return { records, isOlder }
  for await (const { text } of readLines(file.createReadStream())) {
    const record = parseAuditLine(text)
    if (record === null) continue
    if (query.since !== undefined && record.time < query.since) isOlder = true
    else if (matchesAudit(record, query)) records.push(record)
    if (records.length > 2 * query.limit) records.splice(0, records.length - query.limit)
  }
  return { records, isOlder }
}

export function matchesAudit(
  record: AuditRecord,
  { pluginId, action, since }: Omit<AuditQuery, 'limit'>,
): boolean {
  if (pluginId !== undefined && record.plugin_id !== pluginId) return false
  if (since !== undefined && record.time < since) return false
  if (action === undefined) return true
  return action.endsWith('.') ? record.action.startsWith(action) : record.action === action
}

async function openIfThere(path: string): Promise<Awaited<ReturnType<typeof open>> | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    // Turned over since the files were listed.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
