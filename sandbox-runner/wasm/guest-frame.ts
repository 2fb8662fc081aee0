import { MAX_FRAME_BYTES } from '../../src/contract/limits.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { CanonicalLines } from '../../src/rpc/canonical-lines.ts'
import { parseHostileJson } from '../../src/rpc/hostile-json.ts'
import type { Message } from '../../src/rpc/frame-decoder.ts'
import { GuestViolation } from './guest-violation.ts'

const NEWLINE = 0x0a

/** One message between loader and plugin: a line of JSON-RPC without its newline, and the payload behind it. */
export interface GuestFrame {
  readonly line: string
  readonly payload: Uint8Array | null
}

export interface ReadFrame {
  readonly message: Message
  /** A part of the bytes that were read, not a copy. */
  readonly payload: Buffer | null
}

/** The line of a frame, with what it announces of its payload. `head` lacks the closing brace. */
export function toFrame(head: string, payload: Uint8Array | null): GuestFrame {
  return { line: payload === null ? `${head}}` : `${head},"payload_bytes":${payload.length}}`, payload }
}

export function frameBytes({ line, payload }: GuestFrame): number {
  return Buffer.byteLength(line) + 1 + (payload?.length ?? 0)
}

/** @param into of exactly `frameBytes(frame)` bytes */
export function writeFrame({ line, payload }: GuestFrame, into: Buffer): void {
  const end = into.write(line)
  into[end] = NEWLINE
  if (payload !== null) into.set(payload, end + 1)
}

/** Reads what a plugin wrote: exactly one frame, as if an attacker had written it. */
export class GuestFrameReader {
  readonly #canonical = new CanonicalLines()

  /** @throws GuestViolation */
  read(bytes: Buffer, what: string): ReadFrame {
    const end = bytes.indexOf(NEWLINE)
    if (end === -1 || end > MAX_FRAME_BYTES) {
      const why =
        end === -1 ? 'has no newline behind its JSON' : `has a line of more than ${MAX_FRAME_BYTES} bytes`
      throw new GuestViolation(`${what} ${why}`)
    }
    const message = this.#readLine(bytes.toString('utf8', 0, end), what)
    const announced = message['payload_bytes']
    const found = bytes.length - end - 1
    if (announced === undefined ? found !== 0 : announced !== found) {
      const said = announced === undefined ? 'no payload' : `${quoted(announced)} bytes of payload`
      throw new GuestViolation(`${what} announces ${said}, and ${found} bytes stand behind its line`)
    }
    return { message, payload: announced === undefined ? null : bytes.subarray(end + 1) }
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

/** A value of the plugin's in a message of ours. */
export function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80)
}
