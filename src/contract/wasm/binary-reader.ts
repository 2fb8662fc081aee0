/** What is wrong with a module's bytes; it never leaves this folder. */
export class MalformedModule extends Error {
  override readonly name = 'MalformedModule'
}

/** V8's own limit. */
const MAX_NAME_BYTES = 100_000
/** As much of one is made a text of: whoever reads a module of nothing but names is not held up by it. */
const MAX_READ_NAME_BYTES = 4096

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const anyUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Reads a binary that anybody may have written. Each read is held to `end` first, and moves on by at least a byte, so
 * whatever the bytes say, nothing is read twice and nothing beyond the end.
 */
export class BinaryReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #what: string
  #at: number

  constructor(bytes: Uint8Array, what: string, range = { start: 0, end: bytes.length }) {
    this.#bytes = bytes
    this.#at = range.start
    this.#end = range.end
    this.#what = what
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#end - this.#at
  }

  byte(): number {
    if (this.#at >= this.#end) this.fail(`${this.#what} ends too early`)
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte
  }

  /** LEB128, unsigned: five bytes at most, and none of their bits beyond the 32nd set. */
  u32(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && byte > 0x0f) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    return this.fail(`a number in ${this.#what} is longer than 32 bits`)
  }

  /** The number of entries that follow, each of at least `leastBytes`. */
  count(of: string, most: number, leastBytes = 1): number {
    const count = this.u32()
    if (count > most) this.fail(`it has ${count} ${of}, at most ${most} are allowed`)
    if (count * leastBytes > this.left) this.fail(`${this.#what} ends too early`)
    return count
  }

  /** A name in UTF-8; of one that is longer than anybody's, its begin. */
  name(): string {
    const bytes = this.#nameBytes()
    if (bytes.length > MAX_READ_NAME_BYTES) return anyUtf8.decode(bytes.subarray(0, MAX_READ_NAME_BYTES))
    return this.#decode(bytes)
  }

  /** A name in UTF-8; null, and passed over, where it has more bytes than those that mean something. */
  shortName(mostBytes: number): string | null {
    const bytes = this.#nameBytes()
    return bytes.length > mostBytes ? null : this.#decode(bytes)
  }

  /** The next `length` bytes, for a reader of their own. */
  part(what: string, length: number): BinaryReader {
    const start = this.#skip(length)
    return new BinaryReader(this.#bytes, what, { start, end: start + length })
  }

  /** @throws MalformedModule unless all was read */
  done(): void {
    if (this.left > 0) this.fail(`${this.#what} has ${this.left} bytes too many`)
  }

  fail(problem: string): never {
    throw new MalformedModule(`${problem} (at byte ${this.#at})`)
  }

  #nameBytes(): Uint8Array {
    const length = this.u32()
    if (length > MAX_NAME_BYTES) this.fail(`a name in ${this.#what} has ${length} bytes`)
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  #decode(bytes: Uint8Array): string {
    try {
      return strictUtf8.decode(bytes)
    } catch {
      // The decoder says no more than that it is none.
      return this.fail(`a name in ${this.#what} is not UTF-8`)
    }
  }

  #skip(length: number): number {
    if (length > this.left) this.fail(`${this.#what} ends too early`)
    const start = this.#at
    this.#at += length
    return start
  }
}
