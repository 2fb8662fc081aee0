/**
 * What validators that ajv generated ask for at run time, by the names they ask for. ajv itself is not here:
 * importing it would cost a runner 70 ms and 9 MiB.
 */
export const VALIDATOR_RUNTIME = {
  'ajv/dist/runtime/ucs2length': { default: ucs2length },
  'ajv/dist/runtime/equal': { default: equal },
} as const

/** Length in code points, as JSON Schema counts (a surrogate pair is one). */
function ucs2length(text: string): number {
  let length = text.length
  for (let at = 0; at < text.length - 1; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) !== 0xd800 || (text.charCodeAt(at + 1) & 0xfc00) !== 0xdc00) continue
    length -= 1
    at += 1
  }
  return length
}

/** Deep equality of JSON values. */
function equal(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  return keys.every(
    (key) => Object.hasOwn(right, key) && equal(left[key as keyof object], right[key as keyof object]),
  )
}
