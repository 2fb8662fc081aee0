import { parseHostileJson, toJsonText } from '../src/rpc/hostile-json.ts'

/** `metadata()`, `capabilities()` and `health()` travel inside an envelope, which must stay small. */
const MAX_REPORT_BYTES = 64 * 1024

/**
 * What a plugin says about itself, as plain JSON data.
 *
 * @throws Error that says why it is none.
 */
export function toJsonReport(value: unknown, maxBytes = MAX_REPORT_BYTES): unknown {
  const kind = nonJsonKind(value)
  if (kind !== null) throw new TypeError(`it is ${kind}`)
  const text = toJsonText(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) throw new RangeError(`it is ${bytes} bytes of JSON, at most ${maxBytes} are allowed`)
  // The envelope puts it two levels down, and the host caps the depth of the whole.
  const [[report]] = parseHostileJson(`[[${text}]]`) as [[unknown]]
  return report
}

/** What a value is that `JSON.stringify` would make nothing of, or something else; null where it is none of these. */
export function nonJsonKind(value: unknown): string | null {
  if (ArrayBuffer.isView(value)) return 'bytes'
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : null
}
