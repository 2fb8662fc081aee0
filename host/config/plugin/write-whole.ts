import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PhantomError } from '../../../src/contract/phantom-error.ts'
import { codeOf, fileProblem } from './read-regular-file.ts'

const OWN_MODE = 0o600
const FOLDER_MODE = 0o700

export interface FileIdentity {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A text on its way into a file: written and on the disk, under another name in the same folder. */
export interface PreparedFile {
  /** Puts it in its place at once: whoever reads finds the old text or the new one. */
  commit(): Promise<void>
  /** Takes it away; does nothing after `commit`. */
  discard(): Promise<void>
}

/**
 * Writes the text beside the file, with the rights of the file it will replace, or 0600. Whatever fails, the old
 * file stands and nothing is left.
 */
export async function prepareFile(
  path: string,
  text: string,
  old: FileIdentity | null,
): Promise<PreparedFile> {
  const target = await realpath(path).catch(() => path)
  const folder = dirname(target)
  const temporary = join(folder, `.${basename(target)}.${process.pid}.${randomUUID()}.tmp`)
  const discard = async (): Promise<void> => await rm(temporary, { force: true }).catch(() => undefined)
  const orWords = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      await discard()
      throw cannotWrite(path, error)
    }
  }
  await orWords(async () => {
    await makeFolder(folder)
    await removeLeftovers(folder, basename(target))
    await writeDurably(temporary, text, old)
  })
  return {
    commit: () =>
      orWords(async () => {
        await rename(temporary, target)
        await syncFolder(folder)
      }),
    discard,
  }
}

/** Does nothing where there is no such file. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** By itself first: on a read-only disk the recursive call says ENOENT (Node 26). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: FOLDER_MODE })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
    else if (codeOf(error) !== 'EEXIST') throw error
  }
}

async function writeDurably(path: string, text: string, old: FileIdentity | null): Promise<void> {
  const handle = await open(path, 'wx', OWN_MODE)
  try {
    await handle.writeFile(text)
    if (old !== null) {
      // Only root may give files away; anybody else's rename would have made the file theirs all the same.
      await handle.chown(old.uid, old.gid).catch(() => undefined)
      await handle.chmod(old.mode)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Without it a power cut may bring the old name back (fsync(2)). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // File systems that keep no folders on a disk say so; the rename itself is done.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error
  } finally {
    await handle.close()
  }
}

/**
 * Of writers that were killed: their process is in the name. Our own id is that of an earlier life (in a container
 * the daemon has the same one each time): writes of one file never overlap.
 */
async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`.${name}.`) || !entry.endsWith('.tmp')) continue
    const pid = Number(entry.slice(name.length + 2).split('.')[0])
    if (Number.isInteger(pid) && pid > 0 && (pid === process.pid || !isAlive(pid)))
      await rm(join(folder, entry), { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

function cannotWrite(path: string, error: unknown): PhantomError {
  const remedy = 'The old file stands. See that the daemon may write into its folder and the disk has room'
  return new PhantomError('INTERNAL_ERROR', `Cannot write "${path}": ${fileProblem(error)}. ${remedy}`, {
    cause: error,
    details: { path, reason: codeOf(error) },
  })
}
