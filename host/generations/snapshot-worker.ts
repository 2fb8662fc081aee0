/**
 * Runs in a thread of the daemon that lives for one copy, and is ended when it takes too long or too much memory. The
 * sources of a plugin are hostile: what strips their types may overflow its stack and is of no use from then on.
 */
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { isPhantomError, messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { copyFolder } from './snapshot-copy.ts'
import { copyError, twice } from './snapshot-error.ts'
import { AT_ONCE } from './snapshot-files.ts'
import { listFolder } from './snapshot-listing.ts'
import type { Snapshot, SnapshotMessage, SnapshotTask } from './snapshot-task.ts'
import { SOURCE_NAMES } from './source-names.ts'

const LIMITS = { maxEntries: 20_000, maxBytes: 512 * 1024 * 1024 }
const MAX_SOURCE_CHARS = 4 * 1024 * 1024
/** `code` of what Node throws where the source is at fault, and its stripper well. */
const SYNTAX_CODES = new Set(['ERR_INVALID_TYPESCRIPT_SYNTAX', 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'])

const task = workerData as SnapshotTask
try {
  post({ kind: 'taken', snapshot: await twice(take) })
} catch (error) {
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error
  post({
    kind: 'failed',
    message: messageOf(error),
    details: isPhantomError(error) ? error.details : {},
    cause: { message: messageOf(cause), code: codeOf(cause) },
  })
}

async function take(): Promise<Snapshot> {
  const { directory, isTypeScript } = task
  const { entries, digest, changedAtMs, excess } = await listFolder(directory, AT_ONCE, LIMITS)
  if (excess !== null) {
    if (isTypeScript)
      throw copyError(directory, `it holds ${excess}`, {
        next: 'Compile it to JavaScript, or move files elsewhere',
      })
    const notice = `its folder holds ${excess}, so it is not copied: it runs from the files as they are, and no rollback brings them back`
    return { directory: null, digest, changedAtMs, notice }
  }
  const target = join(task.cacheDirectory, digest)
  const convert = isTypeScript ? stripperOf : null
  const onDraft = (draft: string): void => post({ kind: 'drafts', draft })
  if (!AT_ONCE.exists(target))
    await copyFolder({ root: directory, entries, target, convert, onDraft }, AT_ONCE)
  return { directory: target, digest, changedAtMs, notice: null }
}

function stripperOf(path: string): ((source: string) => string) | null {
  if (!SOURCE_NAMES.has(extname(path)) || path.endsWith('.d.ts')) return null
  return (source) => strip(path, source)
}

function strip(path: string, source: string): string {
  if (source.length > MAX_SOURCE_CHARS)
    throw stripError(path, `it is larger than ${MAX_SOURCE_CHARS} characters`, 'Split it')
  // Before it happens: a thread that dies of it cannot say it any more.
  post({ kind: 'strips', path })
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' })
  } catch (error) {
    const reason = messageOf(error).split('\n')[0]!
    if (SYNTAX_CODES.has(codeOf(error) ?? ''))
      throw stripError(path, reason, 'Write erasable TypeScript, or compile it to JavaScript first')
    throw stripError(path, `it is nested too deeply, or too large (${reason})`, 'Simplify it')
  }
}

function stripError(path: string, why: string, next: string): PhantomError {
  const message = `Cannot strip the types of "${path}": ${why}. ${next}`
  return new PhantomError('PLUGIN_START_FAILED', message, { details: { deterministic: true } })
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null
}

function post(message: SnapshotMessage): void {
  parentPort?.postMessage(message)
}
