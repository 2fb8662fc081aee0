import { constants, type FileHandle, open, readlink, realpath } from 'node:fs/promises'

const MIN_BUFFER_BYTES = 64 * 1024

export type RegularFile =
  | { readonly text: string; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly problem: string; readonly isMissing: boolean }

/** Asked with the real path of what was opened: why it must not be read, or null. */
export type RefuseFile = (realPath: string) => string | null

/** The text of a file, or in words why there is none: never waits for a pipe and never reads without end. */
export async function readRegularFile(
  path: string,
  maxBytes: number,
  refuse: RefuseFile = () => null,
): Promise<RegularFile> {
  let handle: FileHandle | null = null
  try {
    // Without O_NONBLOCK the open of a FIFO waits for its writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const refusal = refuse(await realPathOf(handle, path))
    if (refusal !== null) return { problem: refusal, isMissing: false }
    const stat = await handle.stat()
    if (!stat.isFile()) return { problem: 'it is no regular file', isMissing: false }
    const { mode, uid, gid, size } = stat
    if (size > maxBytes)
      return { problem: `it has ${size} bytes, at most ${maxBytes} are allowed`, isMissing: false }
    // The file may grow while it is read, and files in /proc have no size.
    const bytes = Buffer.alloc(Math.min(maxBytes, Math.max(2 * size, MIN_BUFFER_BYTES)) + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = (await handle.read(bytes, length, bytes.length - length)).bytesRead
    }
    if (length === bytes.length)
      return { problem: 'it grows while it is read, or has too many bytes', isMissing: false }
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length))
    return { text, mode: mode & 0o7777, uid, gid }
  } catch (error) {
    return problemOf(error)
  } finally {
    await handle?.close()
  }
}

/** Of the open file: a link that somebody changes afterwards, or between two looks, leads nowhere else. */
async function realPathOf(handle: FileHandle, path: string): Promise<string> {
  return await readlink(`/proc/self/fd/${handle.fd}`).catch(() => realpath(path))
}

/** In words, without the path: who asks names it. */
export function fileProblem(error: unknown): string {
  const code = codeOf(error)
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'it is not there',
    ENOTDIR: 'a part of its path is no folder',
    EISDIR: 'it is a folder',
    EACCES: 'the daemon has no right to it',
    EPERM: 'the daemon has no right to it',
    EROFS: 'it lies on a file system that is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota of the disk is used up',
    ELOOP: 'its symbolic links lead in a circle',
    ENAMETOOLONG: 'its name is too long',
    EMFILE: 'the daemon has too many files open',
    EIO: 'the disk fails',
  }
  const known = code === null ? undefined : words[code]
  return known === undefined ? String(error) : `${known} (${code})`
}

export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

function problemOf(error: unknown): RegularFile {
  if (error instanceof TypeError) return { problem: 'it is not UTF-8 text', isMissing: false }
  return { problem: fileProblem(error), isMissing: codeOf(error) === 'ENOENT' }
}
