import { closeSync, constants as fileConstants, readSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { posix } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { AccessDenied } from './access-denied.ts'
import { WasiError } from './errno.ts'
import type { Grants, Place } from './grants.ts'
import { openAt } from './walk.ts'

const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = fileConstants
const STEP_BYTES = 64 * 1024

/** What a file that is asked for by its path on the host has in it, or is to have: the host calls of the ABI. */
export class WholeFiles {
  readonly #grants: Grants
  readonly #workspace: string

  constructor(grants: Grants, workspace: string) {
    this.#grants = grants
    this.#workspace = workspace
  }

  /**
   * @param path relative ones mean the workspace
   * @throws AccessDenied, and the system's error as Node words it
   */
  read(path: string, maxBytes = Infinity): Buffer {
    const place = this.#place(path, 'FileSystemRead')
    return attempt(place, 'read', () => {
      const { fd, stat } = openAt(place, 'FileSystemRead', O_RDONLY)
      try {
        if (stat.isDirectory()) throw new WasiError('isdir')
        if (stat.size > BigInt(Math.min(maxBytes, Number.MAX_SAFE_INTEGER))) throw new WasiError('fbig')
        return readAll(fd, maxBytes)
      } finally {
        closeSync(fd)
      }
    })
  }

  write(path: string, data: Uint8Array, { append }: { readonly append: boolean }): void {
    const place = this.#place(path, 'FileSystemWrite')
    if (!place.mayWrite) throw new AccessDenied('FileSystemWrite', place.path)
    attempt(place, 'write', () => {
      const { fd } = openAt(place, 'FileSystemWrite', O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC))
      try {
        for (let at = 0; at < data.length;) at += writeSync(fd, data, at)
      } finally {
        closeSync(fd)
      }
    })
  }

  #place(path: string, right: 'FileSystemRead' | 'FileSystemWrite'): Place {
    if (path === '' || path.includes('\0')) {
      throw new TypeError(`Cannot open ${JSON.stringify(path)}: it is no path. Name a file`)
    }
    const absolute = posix.resolve(this.#workspace, path)
    return this.#grants.place(path.endsWith('/') ? `${absolute}/` : absolute, right)
  }
}

/** Its size may be told wrong (a file of the kernel's) or change. */
function readAll(fd: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const chunk = Buffer.allocUnsafe(STEP_BYTES)
    const read = readSync(fd, chunk)
    if (read === 0) return Buffer.concat(chunks, total)
    total += read
    if (total > maxBytes) throw new WasiError('fbig')
    chunks.push(chunk.subarray(0, read))
  }
}

/** The path that the walk ends with means nothing to anybody else. */
function attempt<Result>(place: Place, syscall: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    if (error instanceof AccessDenied) throw error
    if (error instanceof WasiError) throw systemError(`E${error.errno.toUpperCase()}`, { place, syscall })
    if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) throw error
    throw systemError(String(error.code), { place, syscall: String(error.syscall), cause: error })
  }
}

function systemError(
  code: string,
  { place, syscall, cause }: { place: Place; syscall: string; cause?: Error },
): Error {
  const errno = constants.errno[code as keyof typeof constants.errno]
  const words = errno === undefined ? 'unknown error' : getSystemErrorMessage(-errno)
  const error = new Error(`${code}: ${words}, ${syscall} '${place.path}'`, { cause })
  return Object.assign(error, { code, syscall, path: place.path })
}
