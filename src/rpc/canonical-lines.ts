import type { Message } from './frame-decoder.ts'
import { parseHostileJson } from './hostile-json.ts'

/**
 * Reads, without a JSON parse of the whole, the two shapes of line that our own peers write most: a request and an
 * answer of null. Exact or not at all: a line is either taken apart as
 * `HEAD digits MIDDLE params TAIL`, where `params` alone parses as one JSON value, so that the whole line is JSON
 * that says just this; or it is left to the real parser. There is nothing to fool: bytes that close the object early
 * make `params` no JSON value.
 */
export class CanonicalLines {
  readonly #known = new Map<string, KnownCall>()

  /** The message, or null for a line of any other shape. Its `params` may be shared: frozen, not to be changed. */
  read(line: string): Message | null {
    if (!line.startsWith(HEAD)) return null
    const idEnd = digitsEnd(line, HEAD.length)
    if (idEnd === HEAD.length || idEnd - HEAD.length > MAX_DIGITS) return null
    // JSON knows no leading zeros.
    if (line.charCodeAt(HEAD.length) === ZERO && idEnd - HEAD.length > 1) return null
    const id = Number(line.slice(HEAD.length, idEnd))
    if (line.startsWith(NULL_RESULT, idEnd)) return readNullAnswer(line, id, idEnd + NULL_RESULT.length)
    if (line.startsWith(METHOD, idEnd)) return this.#readRequest(line, id, idEnd + METHOD.length)
    return null
  }

  #readRequest(line: string, id: number, start: number): Message | null {
    const payloadStart = line.lastIndexOf(PAYLOAD)
    if (payloadStart < start) return null
    const bytes = closingNumber(line, payloadStart + PAYLOAD.length)
    if (bytes === -1) return null
    const call = this.#readCall(line.slice(start, payloadStart))
    return call === null
      ? null
      : { jsonrpc: '2.0', id, method: call.method, params: call.params, payload_bytes: bytes }
  }

  #readCall(text: string): KnownCall | null {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const methodEnd = text.indexOf('"')
    if (text.length > MAX_KNOWN_CHARS || !text.startsWith(PARAMS, methodEnd)) return null
    const method = text.slice(0, methodEnd)
    const params = METHOD_NAME.test(method) ? parseFlatObject(text.slice(methodEnd + PARAMS.length)) : null
    if (params === null) return null
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    const call = { method, params: Object.freeze(params) }
    this.#known.set(text, call)
    return call
  }
}

/** Methods with their params that came before, by their text: calls of one operation mostly send the same. */
interface KnownCall {
  readonly method: string
  readonly params: object
}

/** Null for text that is not one JSON object without objects inside: the real parser takes the whole line then. */
function parseFlatObject(text: string): object | null {
  try {
    const params = parseHostileJson(text)
    if (typeof params !== 'object' || params === null || Array.isArray(params)) return null
    if (Object.hasOwn(params, 'input')) return null
    return Object.values(params).some((value) => typeof value === 'object') ? null : params
  } catch {
    // It says what is wrong, too.
    return null
  }
}

const HEAD = '{"jsonrpc":"2.0","id":'
const METHOD = ',"method":"'
const PARAMS = '","params":'
const PAYLOAD = ',"payload_bytes":'
const NULL_RESULT = ',"result":null'
const METHOD_NAME = /^[a-z_]+$/
/** Ids and sizes are exact up to 2^53. */
const MAX_DIGITS = 15
const MAX_KNOWN = 256
const MAX_KNOWN_CHARS = 512

function readNullAnswer(line: string, id: number, at: number): Message | null {
  if (line.length === at + 1 && line.endsWith('}')) return { jsonrpc: '2.0', id, result: null }
  if (!line.startsWith(PAYLOAD, at)) return null
  const bytes = closingNumber(line, at + PAYLOAD.length)
  return bytes === -1 ? null : { jsonrpc: '2.0', id, result: null, payload_bytes: bytes }
}

/** The whole number that ends the line together with its closing brace; -1 for anything else. */
function closingNumber(line: string, start: number): number {
  const end = digitsEnd(line, start)
  if (end === start || end - start > MAX_DIGITS || end !== line.length - 1 || !line.endsWith('}')) return -1
  if (line.charCodeAt(start) === ZERO && end - start > 1) return -1
  return Number(line.slice(start, end))
}

const ZERO = 0x30
const NINE = 0x39

function digitsEnd(line: string, start: number): number {
  let at = start
  for (; at < line.length; at += 1) {
    const code = line.charCodeAt(at)
    if (code < ZERO || code > NINE) break
  }
  return at
}
