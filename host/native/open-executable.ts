import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { ByteSource } from './read-elf.ts'

/** Not held up by a pipe, and not led on by a link that took the file's place. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY

/** A regular file, open to be read; null where that path is none, or is not to be read. */
export async function openRegular(canonical: string): Promise<OpenFile | null> {
  let handle: FileHandle
  try {
    handle = await open(canonical, OPEN_FLAGS)
  } catch {
    // Whatever keeps us from it keeps the loader from it as well.
    return null
  }
  const stat = await handle.stat()
  if (stat.isFile()) return new OpenFile(handle, { size: stat.size, mode: stat.mode })
  await handle.close()
  return null
}

export class OpenFile implements ByteSource {
  readonly size: number
  readonly mode: number
  readonly #handle: FileHandle

  constructor(handle: FileHandle, { size, mode }: { size: number; mode: number }) {
    this.#handle = handle
    this.size = size
    this.mode = mode
  }

  /** What the kernel calls it now, whatever way led there. */
  get descriptor(): number {
    return this.#handle.fd
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, offset + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return buffer.subarray(0, done)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
