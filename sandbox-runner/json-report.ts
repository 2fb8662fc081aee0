import { parseHostileJson, toJsonText } from '../src/rpc/hostile-json.ts'

/** `metadata()`, `capabilities()` and `health()` travel inside an envelope, which must stay small. */
const MAX_REPORT_BYTES = 64 * 1024

/**
 * What a plugin says about itself, as plain JSON data.
 *
 * @throws Error that says why it is none.
 */
export function toJsonReport(value: unknown): unknown {
  const text = toJsonText(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_REPORT_BYTES)
    throw new RangeError(`it is ${bytes} bytes of JSON, at most ${MAX_REPORT_BYTES} are allowed`)
  // The envelope puts it two levels down, and the host caps the depth of the whole.
  const [[report]] = parseHostileJson(`[[${text}]]`) as [[unknown]]
  return report
}
