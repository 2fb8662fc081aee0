import { MAX_JSON_DEPTH } from '../contract/limits.ts'
import { messageOf, PhantomError } from '../contract/phantom-error.ts'

/**
 * Parses JSON that an attacker may have written. V8's parser keeps its own stack, so depth cannot overflow it;
 * what comes after us recurses, so depth is capped on the parsed value (0.4 µs a KiB, a third of what a scan of
 * the bytes costs). A key `__proto__`, also written with escapes, is refused: it is harmless here and poison in
 * the first careless merge.
 *
 * @throws PhantomError PARSE_ERROR, with the parser's words and position.
 */
export function parseHostileJson(text: string): unknown {
  const value = parse(text)
  // A document nested n deep is at least 2n characters long.
  if (text.length < 2 * MAX_JSON_DEPTH && !mayNameProto(text)) return value
  if (typeof value !== 'object' || value === null) return value
  if (isTooDeep(value, MAX_JSON_DEPTH)) {
    throw new PhantomError(
      'PARSE_ERROR',
      `Cannot read JSON: it nests deeper than ${MAX_JSON_DEPTH} levels. Flatten the data`,
    )
  }
  if (mayNameProto(text) && namesProto(value)) {
    throw new PhantomError('PARSE_ERROR', 'Cannot read JSON: it has a key "__proto__". Rename the key')
  }
  return value
}

/** Serialises what plugin or application code made; undefined stands for null. Never throws anything else. */
export function toJsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch (error) {
    throw new PhantomError('PARSE_ERROR', `Cannot write JSON: ${messageOf(error).split('\n')[0]}`, {
      cause: error,
    })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new PhantomError('PARSE_ERROR', `Cannot read JSON: ${messageOf(error)}`)
  }
}

function mayNameProto(text: string): boolean {
  return text.includes('__proto__') || text.includes('\\u005')
}

function isTooDeep(value: object, left: number): boolean {
  if (left === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === 'object' && item !== null && isTooDeep(item, left - 1)) return true
    }
    return false
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key]
    if (typeof item === 'object' && item !== null && isTooDeep(item, left - 1)) return true
  }
  return false
}

function namesProto(value: object): boolean {
  if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) return true
  return Object.values(value).some((item) => typeof item === 'object' && item !== null && namesProto(item))
}
