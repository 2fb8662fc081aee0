import { constants } from 'node:fs'
import { lstat, open, rename, stat, unlink, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from './audit-chain.ts'
import { AUDIT_FILE, fullFileName, readTail } from './audit-files.ts'

const OWN_MODE = 0o600
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

/** A line that a killed daemon never finished, set aside. */
export interface TornLine {
  readonly bytes: number
  readonly sha256: string
  readonly file: string
}

/** The file that grows: opened to append, never rewritten, turned over when it is full. */
export class AuditFile {
  readonly #folder: string
  readonly #path: string
  #handle: FileHandle | null = null
  #inode = 0
  #sizeBytes = 0

  constructor(folder: string) {
    this.#folder = folder
    this.#path = join(folder, AUDIT_FILE)
  }

  get isOpen(): boolean {
    return this.#handle !== null
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Takes an unfinished last line out of the way, so that the next one begins on a line of its own. */
  async setTornLineAside(): Promise<TornLine | null> {
    if (!(await this.#exists())) return null
    const { torn, wholeBytes } = readTail(this.#folder, AUDIT_FILE)
    if (torn.length === 0) return null
    const digest = sha256(torn)
    const name = `audit.torn-${digest.slice(0, 16)}`
    await writeFile(join(this.#folder, name), torn, { mode: OWN_MODE, flush: true })
    const handle = await open(this.#path, constants.O_RDWR | O_NOFOLLOW)
    try {
      await handle.truncate(wholeBytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return { bytes: torn.length, sha256: digest, file: name }
  }

  async open(): Promise<void> {
    const isNew = !(await this.#exists())
    const handle = await open(this.#path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, OWN_MODE)
    try {
      const { ino, size } = await handle.stat()
      await handle.chmod(OWN_MODE)
      if (isNew) await this.#syncFolder()
      this.#inode = ino
      this.#sizeBytes = size
      this.#handle = handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Whether the name still leads to the file that is written: somebody may have moved or removed it. */
  async isInPlace(): Promise<boolean> {
    try {
      return (await stat(this.#path)).ino === this.#inode
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** All of it or nothing: what a full disk cut off is taken back. */
  async append(text: string): Promise<void> {
    const handle = this.#handle!
    const data = Buffer.from(text)
    let written = 0
    try {
      while (written < data.length) {
        const { bytesWritten } = await handle.write(data, written)
        written += bytesWritten
      }
      this.#sizeBytes += written
    } catch (error) {
      if (written > 0) await handle.truncate((await handle.stat()).size - written)
      throw error
    }
  }

  async sync(): Promise<void> {
    await this.#handle!.datasync()
  }

  /** Gives the full file its name; the next `open` begins a new one. Answers the name. */
  async turnOver(firstSequence: number): Promise<string> {
    const name = fullFileName(firstSequence)
    await this.sync()
    await rename(this.#path, join(this.#folder, name))
    await this.close()
    await this.#syncFolder()
    return name
  }

  async remove(name: string): Promise<void> {
    await unlink(join(this.#folder, name))
    await this.#syncFolder()
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }

  async #exists(): Promise<boolean> {
    try {
      if (!(await lstat(this.#path)).isFile()) throw new Error(`"${this.#path}" is no regular file`)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Without it a power cut may take the new name back (fsync(2)). */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
