import { MAX_JSON_DEPTH } from '../contract/limits.ts'
import { messageOf, PhantomError } from '../contract/phantom-error.ts'

/**
 * Parses JSON that an attacker may have written. V8's parser keeps its own stack, so depth cannot overflow it;
 * what comes after us recurses, so depth is capped on the parsed value (0.4 µs a KiB, a third of what a scan of
 * the bytes costs). A key `__proto__`, also written with escapes, is refused: it is harmless here and poison in
 * the first careless merge. So is a number beyond what a double holds: it would be read as Infinity here and
 * written as null by whoever passes it on.
 *
 * @throws PhantomError PARSE_ERROR, with the parser's words and position.
 */
export function parseHostileJson(text: string): unknown {
  const value = parseJson(text)
  assertHarmless(value, text)
  return value
}

/** @throws PhantomError PARSE_ERROR */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new PhantomError('PARSE_ERROR', `Cannot read JSON: ${messageOf(error)}`)
  }
}

/**
 * Checks what was parsed, or the part of it that is kept.
 *
 * @param text what the value was parsed from
 * @throws PhantomError PARSE_ERROR
 */
export function assertHarmless(value: unknown, text: string): void {
  const mayBeProto = text.includes('__proto__') || text.includes('\\u005')
  // A document nested n deep is at least 2n characters long, and a short one overflows by its exponent alone.
  if (text.length < 2 * MAX_JSON_DEPTH && !mayBeProto && !BIG_EXPONENT.test(text)) return
  const harm = findHarm(value, MAX_JSON_DEPTH)
  if (harm !== null) throw new PhantomError('PARSE_ERROR', `Cannot read JSON: ${harm}`)
  if (mayBeProto && namesProto(value)) {
    throw new PhantomError('PARSE_ERROR', 'Cannot read JSON: it has a key "__proto__". Rename the key')
  }
}

/** Serialises what plugin or application code made; undefined stands for null. Never throws anything else. */
export function toJsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch (error) {
    const reason = messageOf(error).split('\n')[0]
    throw new PhantomError('PARSE_ERROR', `Cannot write JSON: ${reason}`, { cause: error })
  }
}

const BIG_EXPONENT = /\d[eE]\+?\d{2}/
const TOO_DEEP = `it nests deeper than ${MAX_JSON_DEPTH} levels. Flatten the data`
const TOO_LARGE = 'it has a number that no double holds. Write it as text'

/** Why a value is refused, null when it is not. Small, so that it is compiled into the loops below. */
function findHarm(value: unknown, left: number): string | null {
  if (typeof value === 'number') return value - value === 0 ? null : TOO_LARGE
  return typeof value === 'object' && value !== null ? findHarmInside(value, left) : null
}

function findHarmInside(value: object, left: number): string | null {
  if (left === 0) return TOO_DEEP
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      const harm = findHarm(item, left - 1)
      if (harm !== null) return harm
    }
    return null
  }
  for (const key in value) {
    const harm = findHarm((value as Record<string, unknown>)[key], left - 1)
    if (harm !== null) return harm
  }
  return null
}

function namesProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) return true
  return Object.values(value).some(namesProto)
}
