import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { migrate, MIGRATIONS, readSchemaVersion } from './migrations.ts'

/** Primary result codes of SQLite, the low byte of `errcode` (https://www.sqlite.org/rescode.html). */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** What belongs to a database besides the file itself. */
const COMPANIONS = ['', '-wal', '-journal', '-shm']

export interface OpenedDatabase {
  readonly database: DatabaseSync
  /** What an operator has to know about how it was opened. */
  readonly warnings: readonly string[]
}

/**
 * Opens `state.db` and takes its lock for life. The lock is an fcntl lock of SQLite's: it dies with the process,
 * and any other descriptor of the file that this process closes would drop it, so nothing else may open the file.
 */
export function openDatabase(stateDirectory: string, now: Date): OpenedDatabase {
  const path = join(stateDirectory, 'state.db')
  createPrivateFile(path)
  const { ino } = statSync(path)
  try {
    return { database: openLocked(path, stateDirectory), warnings: [] }
  } catch (error) {
    if (!isDamage(error)) throw inWords(path, error)
    // A rival daemon may have moved the damaged file aside and made a new one in the meantime.
    if (statSync(path).ino !== ino) return { database: openLocked(path, stateDirectory), warnings: [] }
    const aside = moveAside(path, now)
    createPrivateFile(path)
    const warning =
      `The state database "${path}" is damaged (${messageOf(error)}): it was moved to "${aside}" and a new ` +
      `one begun. Plugin states and exit history start empty; delete the old file once nobody needs it`
    return { database: openLocked(path, stateDirectory), warnings: [warning] }
  }
}

function createPrivateFile(path: string): void {
  // `existsSync` opens nothing: see the trap about descriptors above.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
}

function openLocked(path: string, stateDirectory: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true })
  try {
    // Exclusive before the first access in WAL mode: then SQLite keeps the lock and needs no shared memory file
    // (https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory).
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    database.exec('BEGIN EXCLUSIVE; COMMIT')
    assertSound(database)
    assertKnownVersion(database, path)
    migrate(database)
    return database
  } catch (error) {
    database.close()
    if (resultCode(error) === SQLITE_BUSY) throw alreadyRunning(path, stateDirectory, error)
    throw error
  }
}

function assertSound(database: DatabaseSync): void {
  const found = String(database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
  if (found !== 'ok') throw Object.assign(new Error(found), { errcode: SQLITE_CORRUPT })
  // We make none: they would act at what we write, such as put back what is forgotten.
  const odd = database.prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view')").get()
  if (odd === undefined) return
  const what = `it has the ${String(odd['type'])} ${quoteText(String(odd['name']))}, which is not ours`
  throw Object.assign(new Error(what), { errcode: SQLITE_CORRUPT })
}

function assertKnownVersion(database: DatabaseSync, path: string): void {
  const found = readSchemaVersion(database)
  if (found <= MIGRATIONS.length) return
  throw new PhantomError(
    'VERSION_UNSUPPORTED',
    `Cannot open the state database "${path}": it has version ${found}, this daemon knows versions up to ` +
      `${MIGRATIONS.length}. Run the newer @phantom-ml/core that wrote it, or name another state folder`,
    { details: { path, found, supported: MIGRATIONS.length } },
  )
}

function moveAside(path: string, now: Date): string {
  const aside = `${path}.corrupt-${now.toISOString().replaceAll(':', '-')}`
  for (const companion of COMPANIONS) {
    if (existsSync(path + companion)) renameSync(path + companion, aside + companion)
  }
  return aside
}

function alreadyRunning(path: string, stateDirectory: string, cause: unknown): PhantomError {
  const pid = lockHolder(path)
  return new PhantomError(
    'DAEMON_ALREADY_RUNNING',
    `Cannot open the state folder "${stateDirectory}": another daemon${pid === null ? '' : ` (process ${pid})`} ` +
      `is running on it. Connect to that one, stop it first, or name another state folder`,
    { cause, details: { state_directory: stateDirectory, pid } },
  )
}

/** Who holds the lock, by /proc/locks (proc_locks(5)); null where that file or the holder can't be seen. */
function lockHolder(path: string): number | null {
  try {
    const { ino } = statSync(path)
    const line = readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .find((entry) => entry.includes('POSIX') && entry.includes(`:${ino} `))
    const pid = Number(line?.trim().split(/\s+/)[4])
    return pid > 0 ? pid : null
  } catch {
    // No /proc/locks here: the message does without the process id.
    return null
  }
}

function inWords(path: string, error: unknown): PhantomError {
  if (error instanceof PhantomError) return error
  return new PhantomError(
    'CONFIG_INVALID',
    `Cannot open the state database "${path}": ${messageOf(error)}. See that the user of the daemon owns the ` +
      `file and its folder and that the disk has room, or name another state folder`,
    { cause: error, details: { path } },
  )
}

function isDamage(error: unknown): boolean {
  const code = resultCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

function resultCode(error: unknown): number | null {
  const errcode = typeof error === 'object' && error !== null && 'errcode' in error ? error.errcode : null
  return typeof errcode === 'number' ? errcode & 0xff : null
}
