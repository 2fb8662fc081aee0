import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type BigIntStats } from 'node:fs'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { fileProblem } from '../config/plugin/read-regular-file.ts'
import { parseSecrets } from './parse-secrets.ts'

const MAX_FILE_BYTES = 1024 * 1024
const GROUP_AND_OTHERS = 0o077n

export interface SecretsFileOptions {
  /** Absolute. */
  readonly path: string
  /** The daemon's: the file must be its own, or root's. */
  readonly uid: number
  /** Told of every new reading. */
  readonly onRead: (values: ReadonlyMap<string, string>) => void
}

/** The daemon's file of secrets, `NAME=value`. It is read again whenever it has changed. */
export class SecretsFile {
  readonly path: string
  readonly #options: SecretsFileOptions
  #known: { readonly stamp: string; readonly values: ReadonlyMap<string, string> } | null = null

  constructor(options: SecretsFileOptions) {
    this.path = options.path
    this.#options = options
  }

  /**
   * What stands in it now.
   *
   * @throws PhantomError CONFIG_INVALID, without any value: it can't be read, is somebody else's, others may read it,
   * or it has a mistake. Nothing of it is used then
   */
  read(): ReadonlyMap<string, string> {
    const stamp = stampOf(this.#look())
    if (this.#known !== null && this.#known.stamp === stamp) return this.#known.values
    this.#known = null
    const { text, stat } = this.#open()
    const { values, problems } = parseSecrets(text)
    if (problems.length > 0) throw this.#invalid(problems.join('; '))
    this.#known = { stamp: stampOf(stat), values }
    this.#options.onRead(values)
    return values
  }

  #look(): BigIntStats {
    try {
      return lstatSync(this.path, { bigint: true })
    } catch (error) {
      throw this.#invalid(`${fileProblem(error)}. Make it, or take security.secrets_file away`)
    }
  }

  #open(): { text: string; stat: BigIntStats } {
    let descriptor: number
    try {
      // Without O_NONBLOCK the open of a FIFO waits for its writer.
      descriptor = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      const isLink = lstatSync(this.path, { throwIfNoEntry: false })?.isSymbolicLink() === true
      throw this.#invalid(
        isLink ? 'it is a symbolic link. Name the file that it leads to' : fileProblem(error),
      )
    }
    try {
      const stat = fstatSync(descriptor, { bigint: true })
      this.#check(stat)
      return { text: readText(descriptor, (problem) => this.#invalid(problem)), stat }
    } finally {
      closeSync(descriptor)
    }
  }

  #check(stat: BigIntStats): void {
    const { uid } = this.#options
    if (!stat.isFile()) throw this.#invalid('it is no regular file')
    if (stat.uid !== BigInt(uid) && stat.uid !== 0n) {
      throw this.#invalid(
        `it belongs to uid ${stat.uid}, and must belong to the daemon's uid ${uid} or to root. chown it`,
      )
    }
    if ((stat.mode & GROUP_AND_OTHERS) !== 0n) {
      const mode = (stat.mode & 0o777n).toString(8).padStart(4, '0')
      throw this.#invalid(`its mode is ${mode}, and nobody else may have a right to it. Run chmod 0600 on it`)
    }
  }

  #invalid(problem: string): PhantomError {
    return new PhantomError('CONFIG_INVALID', `Cannot use the secrets file "${this.path}": ${problem}`, {
      // No doing of the plugin that would have got its secrets: it starts when the file is right again.
      details: { file: this.path, shortage: 'SECRETS_FILE' },
    })
  }
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

function readText(descriptor: number, invalid: (problem: string) => PhantomError): string {
  const bytes = Buffer.alloc(MAX_FILE_BYTES + 1)
  let length = 0
  for (let read = -1; read !== 0 && length < bytes.length; length += read) {
    read = readSync(descriptor, bytes, length, bytes.length - length, null)
  }
  if (length > MAX_FILE_BYTES) throw invalid(`it has more than ${MAX_FILE_BYTES} bytes. Shorten it`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length))
  } catch {
    // Its bytes would stand in the message.
    throw invalid('it is not UTF-8 text')
  }
}
