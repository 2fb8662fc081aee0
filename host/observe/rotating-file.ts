import { constants } from 'node:fs'
import { appendFile, rename, stat } from 'node:fs/promises'
import { Writable } from 'node:stream'

/** One write at most: a whole backlog at once would overshoot the file's size. */
const WRITE_CHARS = 256 * 1024

/** No link: what a plugin says would become a part of whatever file it leads to. */
const APPEND = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW

export interface RotatingFileOptions {
  readonly path: string
  readonly maxBytes: number
  /** The file itself and the older ones beside it: `x.log`, `x.log.1`, … */
  readonly maxFiles: number
  /** Told once for each stretch of failures, such as a full disk. The lines of that stretch are gone. */
  readonly onError: (error: unknown) => void
}

/**
 * Appends lines to a file of mode 0600 and turns it over when it is full. In place of winston's File transport:
 * with `maxsize` that one (3.19.0) lost 86,001 of 100,000 quick lines, and its `x1.log`, the second file of `x`,
 * is the first of a plugin named `x1`. No descriptor stays open between writes: the logs of a thousand plugins
 * hold none, and a file that somebody moved or deleted is begun anew.
 */
export class RotatingFile extends Writable {
  readonly path: string
  readonly #options: RotatingFileOptions
  #sizeBytes: number | null = null
  #isFailing = false

  constructor(options: RotatingFileOptions) {
    super({ decodeStrings: false })
    this.path = options.path
    this.#options = options
  }

  /** Resolves when every line before it is in the file. */
  flush(): Promise<void> {
    return new Promise((resolve) => void this.write('', () => resolve()))
  }

  /** Writes what waits and takes no more. Twice is fine. */
  async close(): Promise<void> {
    if (this.writableFinished) return
    await new Promise<void>((resolve) => {
      this.once('finish', resolve)
      if (!this.writableEnded) this.end()
    })
  }

  override _write(chunk: unknown, _encoding: string, callback: () => void): void {
    void this.#append([chunk], callback)
  }

  override _writev(chunks: readonly { chunk: unknown }[], callback: () => void): void {
    void this.#append(
      chunks.map((entry) => entry.chunk),
      callback,
    )
  }

  /** Never fails: an error given to the callback would end the stream, and the next line may find room again. */
  async #append(chunks: readonly unknown[], callback: () => void): Promise<void> {
    try {
      for (const text of inBatches(chunks)) {
        await this.#write(text)
        this.#isFailing = false
      }
    } catch (error) {
      this.#sizeBytes = null
      if (!this.#isFailing) this.#options.onError(error)
      this.#isFailing = true
    }
    callback()
  }

  async #write(text: string): Promise<void> {
    const { path, maxBytes } = this.#options
    const bytes = Buffer.byteLength(text)
    this.#sizeBytes ??= await sizeOf(path)
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes > maxBytes) await this.#rotate()
    await appendFile(path, text, { mode: 0o600, flag: APPEND })
    this.#sizeBytes += bytes
  }

  async #rotate(): Promise<void> {
    const { path, maxFiles } = this.#options
    for (let number = maxFiles - 1; number >= 1; number -= 1) {
      await renameIfThere(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`)
    }
    this.#sizeBytes = 0
  }
}

function* inBatches(chunks: readonly unknown[]): Generator<string> {
  let batch = ''
  for (const chunk of chunks) {
    batch += String(chunk)
    if (batch.length < WRITE_CHARS) continue
    yield batch
    batch = ''
  }
  if (batch !== '') yield batch
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
