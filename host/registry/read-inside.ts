import { constants } from 'node:fs'
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/**
 * Not blocked by a FIFO that nobody writes, not led on by a link that appears after the path was resolved, and
 * a terminal that is opened does not become ours.
 */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY

export type InsideFile = { readonly bytes: Buffer } | { readonly error: string; readonly isMissing: boolean }

/**
 * Reads a regular file of a folder whose author is not trusted: nothing outside that folder, nothing that is no
 * file, never more than `maxBytes`. `directory` is a real path. The error says what is so, in words.
 */
export async function readInside(directory: string, path: string, maxBytes: number): Promise<InsideFile> {
  const opened = await openInside(directory, path)
  if ('error' in opened) return opened
  await using file = opened.file
  try {
    const { size } = await file.stat()
    if (size > maxBytes) return refusal(`it has ${size} bytes, at most ${maxBytes} are allowed`)
    const bytes = await readAtMost(file, maxBytes)
    return bytes === null ? refusal(`it has more than the ${maxBytes} bytes that are allowed`) : { bytes }
  } catch (error) {
    return refusal(`it cannot be read (${codeOf(error)})`)
  }
}

/** What is wrong with a file of the folder that is going to be loaded from there; null when all is well. */
export async function insideFileProblem(directory: string, path: string): Promise<string | null> {
  const opened = await openInside(directory, path)
  if ('error' in opened) return opened.error
  await opened.file.close()
  return null
}

/** Whether one real path is the other or lies below it. */
export function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path)
  return way !== '..' && !way.startsWith(`..${sep}`)
}

type OpenedFile = { readonly file: FileHandle } | { readonly error: string; readonly isMissing: boolean }

async function openInside(directory: string, path: string): Promise<OpenedFile> {
  let file: FileHandle | null = null
  try {
    const real = await realpath(join(directory, path))
    if (!isInside(directory, real)) return refusal('it is a link that leaves the plugin folder')
    file = await open(real, OPEN_FLAGS)
    const problem = await openedProblem(file, directory)
    if (problem === null) return { file }
    await file.close()
    return refusal(problem)
  } catch (error) {
    await file?.close()
    return failure(error)
  }
}

async function openedProblem(file: FileHandle, directory: string): Promise<string | null> {
  const stat = await file.stat()
  if (stat.isDirectory()) return 'it is a folder, expected a file'
  if (!stat.isFile()) return 'it is no regular file (a pipe, socket or device)'
  if (process.platform !== 'linux') return null
  // A folder on the way may have become a link since: what counts is what was opened.
  const held = await readlink(`/proc/self/fd/${file.fd}`)
  return isInside(directory, held) ? null : 'it is a link that leaves the plugin folder'
}

/** Null when there is more: a file may grow after its size was asked for. */
async function readAtMost(file: FileHandle, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024))
    if (bytesRead === 0) return Buffer.concat(chunks, total)
    total += bytesRead
    if (total > maxBytes) return null
    chunks.push(buffer.subarray(0, bytesRead))
  }
}

function refusal(error: string): { error: string; isMissing: boolean } {
  return { error, isMissing: false }
}

function failure(error: unknown): { error: string; isMissing: boolean } {
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return { error: 'it does not exist', isMissing: true }
  if (code === 'EACCES' || code === 'EPERM') {
    return refusal(`the user ${process.getuid?.() ?? ''} of this process may not read it`)
  }
  if (code === 'ELOOP') return refusal('its links lead in a circle')
  // What opening a socket answers, and a FIFO or device without a driver.
  if (code === 'ENXIO' || code === 'ENODEV')
    return refusal('it is no regular file (a pipe, socket or device)')
  return refusal(`it cannot be opened (${code})`)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
