/** What the first bytes of a tunnel say. */
export type FirstBytes =
  | { readonly kind: 'more' }
  /** No TLS, or TLS that names no server: there is nothing to compare. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'named'; readonly serverName: string }
  /** It begins as TLS does and goes on as nothing that a client sends. */
  | { readonly kind: 'broken' }

const HANDSHAKE = 22
/** Change of cipher, alert, application data, heartbeat. */
const OTHER_RECORDS: ReadonlySet<number> = new Set([20, 21, 23, 24])
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const HOST_NAME = 0
const RECORD_HEAD_BYTES = 5
const MAX_HELLO_BYTES = 32 * 1024
/** No client cuts its hello into more, and all are looked at again with every chunk that comes. */
const MAX_RECORDS = 64

/** Reads the server's name from the beginning of a TLS connection (RFC 8446 4.1.2 and 5.1, RFC 6066 3). */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  if (bytes.length === 0) return { kind: 'more' }
  if (bytes[0] !== HANDSHAKE) return isOtherRecord(bytes)
  const handshake = joinRecords(bytes)
  if (handshake === null) return { kind: 'broken' }
  if (handshake.length < 4) return { kind: 'more' }
  if (handshake[0] !== CLIENT_HELLO) return { kind: 'broken' }
  const length = handshake.readUIntBE(1, 3)
  if (length > MAX_HELLO_BYTES) return { kind: 'broken' }
  if (handshake.length < 4 + length) return { kind: 'more' }
  try {
    const serverName = serverNameIn(new Reader(handshake.subarray(4, 4 + length)))
    return serverName === null ? { kind: 'silent' } : { kind: 'named', serverName }
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'broken' }
    throw error
  }
}

/** No client begins with another of TLS's records, and some server might read on to a hello behind it. */
function isOtherRecord(bytes: Buffer): FirstBytes {
  if (!OTHER_RECORDS.has(bytes[0]!)) return { kind: 'silent' }
  if (bytes.length === 1) return { kind: 'more' }
  return { kind: bytes[1] === 3 ? 'broken' : 'silent' }
}

/** What the handshake records hold, as far as they are there; null where another record stands among them. */
function joinRecords(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE) return parts.length > 0 && isWhole(parts) ? Buffer.concat(parts) : null
    if (at + RECORD_HEAD_BYTES > bytes.length) break
    if (bytes[at + 1] !== 3) return null
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || parts.length >= MAX_RECORDS) return null
    parts.push(bytes.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + length))
    at += RECORD_HEAD_BYTES + length
  }
  return Buffer.concat(parts)
}

function isWhole(parts: readonly Buffer[]): boolean {
  const joined = Buffer.concat(parts)
  return joined.length >= 4 && joined.length >= 4 + joined.readUIntBE(1, 3)
}

function serverNameIn(hello: Reader): string | null {
  hello.skip(2 + 32)
  hello.skip(hello.uint(1))
  hello.skip(hello.uint(2))
  hello.skip(hello.uint(1))
  if (hello.isAtEnd) return null
  const extensions = hello.take(hello.uint(2))
  let name: string | null = null
  while (!extensions.isAtEnd) {
    const type = extensions.uint(2)
    const body = extensions.take(extensions.uint(2))
    if (type !== SERVER_NAME) continue
    if (name !== null) throw new RangeError('two lists of names')
    name = hostNameIn(body.take(body.uint(2)))
  }
  return name
}

/** One name, as the standard has it: of two, servers would choose as they like. */
function hostNameIn(list: Reader): string {
  if (list.uint(1) !== HOST_NAME) throw new RangeError('a name of another kind')
  const name = list.take(list.uint(2)).text()
  if (!list.isAtEnd) throw new RangeError('two names')
  return name
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** @throws RangeError where there are fewer */
  uint(bytes: 1 | 2): number {
    const value = this.#bytes.readUIntBE(this.#at, bytes)
    this.#at += bytes
    return value
  }

  skip(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw new RangeError('it ends too early')
    this.#at += bytes
  }

  take(bytes: number): Reader {
    const from = this.#at
    this.skip(bytes)
    return new Reader(this.#bytes.subarray(from, this.#at))
  }

  text(): string {
    return this.#bytes.toString('latin1')
  }
}
