/** Longer ones would let a plugin fill the log by one refusal. */
const MAX_TEXT_CHARS = 1024
const MAX_ENTRIES = 64
const MAX_DEPTH = 5
const MAX_ALL_CHARS = 8 * 1024
const CUT = ' … (cut)'

/** A copy that is JSON, of bounded size, with every text in it passed through `redact`. */
export function toBoundedDetails(
  details: Readonly<Record<string, unknown>>,
  redact: (text: string) => string,
): Record<string, unknown> {
  const bounded = toBounded(details, redact, 0) as Record<string, unknown>
  const text = JSON.stringify(bounded)
  return text.length <= MAX_ALL_CHARS ? bounded : { cut: `${text.slice(0, MAX_ALL_CHARS / 2)}${CUT}` }
}

/** A short text of somebody else's. */
export function toBoundedText(text: string, redact: (text: string) => string): string {
  // Redacted first: a cut would leave half of a secret, which nothing finds.
  const clean = redact(text.slice(0, 64 * MAX_TEXT_CHARS)).toWellFormed()
  return clean.length <= MAX_TEXT_CHARS ? clean : clean.slice(0, MAX_TEXT_CHARS - CUT.length) + CUT
}

function toBounded(value: unknown, redact: (text: string) => string, depth: number): unknown {
  if (typeof value === 'string') return toBoundedText(value, redact)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  if (typeof value !== 'object') return undefined
  if (depth >= MAX_DEPTH) return CUT.trim()
  if (Array.isArray(value))
    return value.slice(0, MAX_ENTRIES).map((item) => toBounded(item, redact, depth + 1))
  const entries = Object.entries(value).slice(0, MAX_ENTRIES)
  return Object.fromEntries(
    entries.map(([key, item]) => [toBoundedText(key, redact), toBounded(item, redact, depth + 1)]),
  )
}
