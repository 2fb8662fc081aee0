import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { escapeControl } from '../observe/escape-control.ts'

const READ_ALL = 'See that the daemon may read the whole plugin folder'
/** What a name that is no UTF-8 has in the place of its bytes. */
const NO_TEXT = '\uFFFD'

/** A file is not what the listing said: the folder is changing, or the name is not the one that was read. */
class FolderChanged extends Error {
  readonly path: string

  constructor(path: string, cause?: unknown) {
    super('it was deleted or exchanged while the folder was copied', { cause })
    this.path = path
  }
}

/** Why a plugin's files could not be copied, in words. */
export function copyError(
  path: string,
  why: string,
  { next = READ_ALL, cause }: { next?: string; cause?: unknown } = {},
): PhantomError {
  const message = `Cannot copy "${escapeControl(path)}" for its process: ${why}. ${next}`
  return new PhantomError('PLUGIN_START_FAILED', message, cause === undefined ? {} : { cause })
}

/** What came of reading or copying that path, as one of the errors of this module. */
export function errorOf(path: string, error: unknown): Error {
  if (error instanceof PhantomError || error instanceof FolderChanged) return error
  const { code, path: failedPath } = error as NodeJS.ErrnoException
  // What failed was the copy, not the original.
  if (failedPath !== undefined && failedPath !== path)
    return copyError(path, messageOf(error), { cause: error })
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return new FolderChanged(path, error)
  if (code !== 'EACCES' && code !== 'EPERM') return copyError(path, messageOf(error), { cause: error })
  return copyError(path, `the user ${process.getuid?.() ?? ''} of the daemon may not read it`, {
    cause: error,
  })
}

export function folderChanged(path: string): Error {
  return new FolderChanged(path)
}

/** Does it once more where the folder was changing: an editor that saves replaces files. */
export async function twice<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FolderChanged)) throw error
  }
  try {
    return await work()
  } catch (error) {
    throw error instanceof FolderChanged ? inWords(error) : error
  }
}

function inWords(error: FolderChanged): PhantomError {
  if (error.path.includes(NO_TEXT))
    return copyError(error.path, 'its name is no UTF-8', { next: 'Rename it', cause: error })
  return copyError(error.path, error.message, { next: 'Call again when its files stand still', cause: error })
}
