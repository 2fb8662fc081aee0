import { MAX_FRAME_BYTES } from '../../src/contract/limits.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { CanonicalLines } from '../../src/rpc/canonical-lines.ts'
import { parseHostileJson } from '../../src/rpc/hostile-json.ts'
import type { Message } from '../../src/rpc/frame-decoder.ts'
import { GuestViolation } from './guest-violation.ts'

const NEWLINE = 0x0a
const NEAR_BYTES = 128
const HEAD = Buffer.from('{"jsonrpc":"2.0","id":')
const RESULT = Buffer.from(',"result":null,"payload_bytes":')
const PAYLOAD_BYTES = Buffer.from(',"payload_bytes":')
const TAIL = Buffer.from('}\n')
const EMPTY = Buffer.alloc(0)
const LEAST_RESULT_BYTES = HEAD.length + RESULT.length + TAIL.length + 2
const ZERO = 0x30
const MAX_DIGITS = 15

/** One message for a plugin: a line of JSON-RPC with its newline, and the payload behind it. */
export interface GuestFrame {
  readonly byteLength: number
  /** Writes all of it; there is room for that from `at` on. */
  write(into: Buffer, at: number): void
}

export interface ReadFrame {
  readonly message: Message
  /** Null also where it has more bytes than its reader copies: `payload_bytes` of the message are those that there are. */
  readonly payload: Buffer | null
}

/** A frame of any kind, with what it announces of its payload. `head` is its line, and lacks the closing brace. */
export function toFrame(head: string, payload: Uint8Array | null): GuestFrame {
  const line = payload === null ? `${head}}\n` : `${head},"payload_bytes":${payload.length}}\n`
  const lineBytes = Buffer.byteLength(line)
  return {
    byteLength: lineBytes + (payload?.length ?? 0),
    write(into, at) {
      into.write(line, at)
      if (payload !== null) into.set(payload, at + lineBytes)
    },
  }
}

interface FrameOfRequest {
  readonly id: number
  readonly method: string
  readonly params: object
  readonly payload: Uint8Array | null
}

/**
 * Makes the frames of requests. Calls of one operation mostly follow each other: then the bytes between id and payload
 * are those of the one before, and no text is made of them.
 */
export class RequestFrames {
  #method = ''
  #params: object | null = null
  #behindId = EMPTY

  frameOf({ id, method, params, payload }: FrameOfRequest): GuestFrame {
    const behindId = this.#behindIdOf(method, params)
    if (Number.isSafeInteger(id) && id >= 0) return new RequestFrame(id, behindId, payload)
    return toFrame(`{"jsonrpc":"2.0","id":${id}${behindId.toString()}`, payload)
  }

  /** The reader of lines hands out the same params again for the same text, frozen. */
  #behindIdOf(method: string, params: object): Buffer {
    if (params === this.#params && method === this.#method) return this.#behindId
    const bytes = Buffer.from(`,"method":"${method}","params":${JSON.stringify(params)}`)
    if (Object.isFrozen(params)) {
      this.#method = method
      this.#params = params
      this.#behindId = bytes
    }
    return bytes
  }
}

class RequestFrame implements GuestFrame {
  readonly byteLength: number
  readonly #id: number
  readonly #behindId: Buffer
  readonly #payload: Uint8Array | null

  constructor(id: number, behindId: Buffer, payload: Uint8Array | null) {
    this.#id = id
    this.#behindId = behindId
    this.#payload = payload
    const behindParams =
      payload === null ? 0 : PAYLOAD_BYTES.length + digitsOf(payload.length) + payload.length
    this.byteLength = HEAD.length + digitsOf(id) + behindId.length + TAIL.length + behindParams
  }

  write(into: Buffer, start: number): void {
    into.set(HEAD, start)
    let at = writeDigits(into, start + HEAD.length, this.#id)
    into.set(this.#behindId, at)
    at += this.#behindId.length
    if (this.#payload !== null) {
      into.set(PAYLOAD_BYTES, at)
      at = writeDigits(into, at + PAYLOAD_BYTES.length, this.#payload.length)
    }
    into.set(TAIL, at)
    if (this.#payload !== null) into.set(this.#payload, at + TAIL.length)
  }
}

/** How many a whole number has. */
function digitsOf(value: number): number {
  let count = 1
  for (let least = 10; least <= value; least *= 10) count += 1
  return count
}

/** Returns where they end. */
function writeDigits(into: Buffer, start: number, value: number): number {
  const end = start + digitsOf(value)
  let rest = value
  for (let at = end - 1; at >= start; at -= 1) {
    const more = Math.floor(rest / 10)
    into[at] = ZERO + (rest - more * 10)
    rest = more
  }
  return end
}

/** Where a frame lies in the plugin's memory. */
export interface GuestRange {
  readonly address: number
  readonly length: number
}

/** Reads what a plugin wrote: exactly one frame, as if an attacker had written it. */
export class GuestFrameReader {
  readonly #canonical = new CanonicalLines()
  readonly #maxPayloadBytes: number

  constructor(maxPayloadBytes = Infinity) {
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /** The payload is a copy. @throws GuestViolation */
  read(memory: Buffer, { address, length }: GuestRange, what: string): ReadFrame {
    const result = length <= this.#maxPayloadBytes ? readResult(memory, address, address + length) : null
    if (result !== null) return result
    const end = lineEnd(memory, address, address + length)
    if (end === -1 || end - address > MAX_FRAME_BYTES) {
      const why =
        end === -1 ? 'has no newline behind its JSON' : `has a line of more than ${MAX_FRAME_BYTES} bytes`
      throw new GuestViolation(`${what} ${why}`)
    }
    const message = this.#readLine(memory.toString('utf8', address, end), what)
    const announced = message['payload_bytes']
    const found = address + length - end - 1
    if (announced === undefined ? found !== 0 : announced !== found) {
      const said = announced === undefined ? 'no payload' : `${quoted(announced)} bytes of payload`
      throw new GuestViolation(`${what} announces ${said}, and ${found} bytes stand behind its line`)
    }
    const isTaken = announced !== undefined && found <= this.#maxPayloadBytes
    return { message, payload: isTaken ? copyOf(memory, end + 1, found) : null }
  }

  #readLine(line: string, what: string): Message {
    const known = this.#canonical.read(line)
    if (known !== null) return known
    let value: unknown
    try {
      value = parseHostileJson(line)
    } catch (error) {
      throw new GuestViolation(`${what} is no JSON: ${messageOf(error)}`, { cause: error })
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Message
    throw new GuestViolation(`${what} is no JSON object`)
  }
}

/**
 * The answer that most calls end with, `HEAD digits RESULT digits TAIL` and its payload, read without making a text of
 * its line. Exact, or null: then the whole line is read as any other.
 */
function readResult(memory: Buffer, start: number, end: number): ReadFrame | null {
  if (!isThere(memory, start, HEAD) || end - start < LEAST_RESULT_BYTES) return null
  const idStart = start + HEAD.length
  const idEnd = digitsEnd(memory, idStart, end)
  if (idEnd === -1 || !isThere(memory, idEnd, RESULT)) return null
  const countStart = idEnd + RESULT.length
  const countEnd = digitsEnd(memory, countStart, end)
  if (countEnd === -1 || !isThere(memory, countEnd, TAIL)) return null
  const payloadStart = countEnd + TAIL.length
  const count = numberOf(memory, countStart, countEnd)
  if (payloadStart + count !== end) return null
  const message = { jsonrpc: '2.0', id: numberOf(memory, idStart, idEnd), result: null, payload_bytes: count }
  return { message, payload: copyOf(memory, payloadStart, count) }
}

/** Beyond the memory's end nothing is there. */
function isThere(memory: Buffer, start: number, text: Buffer): boolean {
  for (let at = 0; at < text.length; at += 1) if (memory[start + at] !== text[at]) return false
  return true
}

/** Behind a whole number as JSON writes it, of so few digits that a number holds it exactly; -1 where there is none. */
function digitsEnd(memory: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && isDigit(memory[at]!)) at += 1
  const count = at - start
  return count === 0 || count > MAX_DIGITS || (count > 1 && memory[start] === ZERO) ? -1 : at
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9
}

function numberOf(memory: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at += 1) value = value * 10 + memory[at]! - ZERO
  return value
}

/** Looked for byte by byte, as far as most lines go: a search through a view costs more than that. */
function lineEnd(memory: Buffer, start: number, end: number): number {
  const near = Math.min(end, start + NEAR_BYTES)
  for (let at = start; at < near; at += 1) if (memory[at] === NEWLINE) return at
  const found = memory.subarray(near, end).indexOf(NEWLINE)
  return found === -1 ? -1 : near + found
}

function copyOf(memory: Buffer, start: number, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length)
  memory.copy(copy, 0, start, start + length)
  return copy
}

/** A value of the plugin's in a message of ours. */
export function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80)
}
