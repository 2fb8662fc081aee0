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
const TAIL = Buffer.from('}\n')
const LEAST_RESULT_BYTES = HEAD.length + RESULT.length + TAIL.length + 2
const ZERO = 0x30
const MAX_DIGITS = 15

/** One message between loader and plugin: a line of JSON-RPC without its newline, and the payload behind it. */
export interface GuestFrame {
  readonly line: string
  readonly payload: Uint8Array | null
}

export interface ReadFrame {
  readonly message: Message
  readonly payload: Buffer | null
}

/** The line of a frame, with what it announces of its payload. `head` lacks the closing brace. */
export function toFrame(head: string, payload: Uint8Array | null): GuestFrame {
  return { line: payload === null ? `${head}}` : `${head},"payload_bytes":${payload.length}}`, payload }
}

export function frameBytes({ line, payload }: GuestFrame): number {
  return Buffer.byteLength(line) + 1 + (payload?.length ?? 0)
}

/** @param into with `frameBytes(frame)` bytes from `at` on */
export function writeFrame({ line, payload }: GuestFrame, into: Buffer, at: number): void {
  const end = at + into.write(line, at)
  into[end] = NEWLINE
  if (payload !== null) into.set(payload, end + 1)
}

/** Where a frame lies in the plugin's memory. */
export interface GuestRange {
  readonly address: number
  readonly length: number
}

/** Reads what a plugin wrote: exactly one frame, as if an attacker had written it. */
export class GuestFrameReader {
  readonly #canonical = new CanonicalLines()

  /** The payload is a copy. @throws GuestViolation */
  read(memory: Buffer, { address, length }: GuestRange, what: string): ReadFrame {
    const result = readResult(memory, address, address + length)
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
    return { message, payload: announced === undefined ? null : copyOf(memory, end + 1, found) }
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
