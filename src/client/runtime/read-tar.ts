/**
 * Reads a package of npm and takes named files out of it. Strict, not complete: what no package of ours holds (links,
 * devices, long names, sizes over 8 GiB) ends it, and no name of the archive ever becomes a path.
 */
const BLOCK_BYTES = 512
const NAME = { at: 0, bytes: 100 }
const SIZE = { at: 124, bytes: 12 }
const CHECKSUM = { at: 148, bytes: 8 }
const TYPE_AT = 156
const MAGIC = { at: 257, bytes: 6 }
const PREFIX = { at: 345, bytes: 155 }
const FILE_TYPES = new Set(['0', '\0'])
const FOLDER_TYPE = '5'
const SPACE = 0x20

/** An archive that will not be read on, in words: `it …`. */
export class TarError extends Error {
  override readonly name = 'TarError'
}

export interface TarEntry {
  name: string
  bytes: number
  isFile: boolean
}

export interface TarLimits {
  /** Of all that the archive unpacks to. */
  maxBytes: number
}

/** A file that is wanted: where its bytes go. */
export type TarSink = (bytes: Uint8Array) => Promise<void>

/**
 * Reads to the end. `sinkFor` is asked for each entry and answers null for what is not wanted.
 * @throws TarError
 */
export async function readTar(
  chunks: AsyncIterable<Buffer>,
  limits: TarLimits,
  sinkFor: (entry: TarEntry) => TarSink | null,
): Promise<void> {
  const source = new BlockSource(chunks, limits.maxBytes)
  for (;;) {
    const header = await source.read(BLOCK_BYTES)
    if (header.every((byte) => byte === 0)) break
    const entry = parseHeader(header)
    const sink = sinkFor(entry)
    await source.pass(entry.bytes, sink)
    await source.pass((BLOCK_BYTES - (entry.bytes % BLOCK_BYTES)) % BLOCK_BYTES, null)
  }
  await source.drain()
}

function parseHeader(header: Buffer): TarEntry {
  const told = octal(header, CHECKSUM, 'checksum')
  let sum = 0
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const isChecksum = at >= CHECKSUM.at && at < CHECKSUM.at + CHECKSUM.bytes
    sum += isChecksum ? SPACE : (header[at] ?? 0)
  }
  if (sum !== told) throw new TarError('it has a header with a wrong checksum')
  const name = nameOf(header)
  const type = String.fromCharCode(header[TYPE_AT] ?? 0)
  const bytes = octal(header, SIZE, 'size')
  if (FILE_TYPES.has(type)) return { name, bytes, isFile: true }
  if (type === FOLDER_TYPE && bytes === 0) return { name, bytes, isFile: false }
  throw new TarError(
    `it holds an entry of type ${JSON.stringify(type)}, and only files and folders are expected`,
  )
}

function nameOf(header: Buffer): string {
  const own = text(header, NAME)
  const isPosix = header.toString('latin1', MAGIC.at, MAGIC.at + MAGIC.bytes) === 'ustar\0'
  const prefix = isPosix ? text(header, PREFIX) : ''
  const name = prefix === '' ? own : `${prefix}/${own}`
  const isOdd = name === '' || name.startsWith('/') || /[\\\u0000-\u001f]/.test(name)
  if (isOdd || name.split('/').includes('..'))
    throw new TarError(`it holds ${JSON.stringify(name.slice(0, 100))}, which leads out of the archive`)
  return name
}

interface Field {
  at: number
  bytes: number
}

function text(header: Buffer, { at, bytes }: Field): string {
  const field = header.subarray(at, at + bytes)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? bytes : end)
}

function octal(header: Buffer, field: Field, what: string): number {
  const digits = text(header, field).trim()
  if (!/^[0-7]{1,11}$/.test(digits)) throw new TarError(`it has a header whose ${what} is no octal number`)
  return Number.parseInt(digits, 8)
}

class BlockSource {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #maxBytes: number
  #held: Buffer = Buffer.alloc(0)
  #readBytes = 0

  constructor(chunks: AsyncIterable<Buffer>, maxBytes: number) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#maxBytes = maxBytes
  }

  async read(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    await this.pass(bytes, async (part) => void parts.push(Buffer.from(part)))
    return Buffer.concat(parts)
  }

  async pass(bytes: number, sink: TarSink | null): Promise<void> {
    for (let left = bytes; left > 0;) {
      if (this.#held.length === 0 && !(await this.#more())) throw new TarError('it ends in the middle')
      const part = this.#held.subarray(0, left)
      this.#held = this.#held.subarray(part.length)
      left -= part.length
      await sink?.(part)
    }
  }

  /** What follows the end is looked at by nobody, but bounded like the rest. */
  async drain(): Promise<void> {
    while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done === true) return false
    this.#readBytes += value.length
    if (this.#readBytes > this.#maxBytes) {
      throw new TarError(`it unpacks to more than ${this.#maxBytes} bytes`)
    }
    this.#held = value
    return true
  }
}
