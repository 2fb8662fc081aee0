/** Shorter ones would blot out ordinary words. */
const MIN_SECRET_CHARS = 6
/** A line of a secret by itself: what is logged is cut into lines. */
const MIN_LINE_CHARS = 16
/** Base64 of a part of a longer text: fewer characters are found by chance. */
const MIN_BASE64_CHARS = 8
const SHOWN = '[secret]'
const SYNTAX = /[.*+?^${}()|[\]\\/]/g

/** Takes secrets out of text that leaves the daemon, also where they stand in JSON, in a URL or in base64. */
export class Redactor {
  readonly #forms = new Set<string>()
  #pattern: RegExp | null = null

  add(secret: string): void {
    const before = this.#forms.size
    for (const form of formsOf(secret)) this.#forms.add(form)
    // Built by the next text: many secrets come at once.
    if (this.#forms.size > before) this.#pattern = null
  }

  redact(text: string): string {
    if (this.#forms.size === 0 || text.length < MIN_SECRET_CHARS) return text
    this.#pattern ??= toPattern(this.#forms)
    return text.replace(this.#pattern, SHOWN)
  }
}

function formsOf(secret: string): string[] {
  if (secret.length < MIN_SECRET_CHARS) return []
  const lines = secret.includes('\n')
    ? secret
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter((line) => line.length >= MIN_LINE_CHARS && !line.startsWith('-----'))
    : []
  return [secret, ...lines].flatMap((text) => [
    text,
    ...jsonForms(text),
    ...urlForms(text),
    ...base64Forms(text),
  ])
}

/** Once, and as a text inside a text: an error's JSON in a log line's JSON. */
function jsonForms(text: string): string[] {
  const once = JSON.stringify(text).slice(1, -1)
  return [once, JSON.stringify(once).slice(1, -1)]
}

function urlForms(text: string): string[] {
  // A lone surrogate has no bytes in a URL.
  const encoded = encodeURIComponent(text.toWellFormed())
  const strict = encoded.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  const lower = (form: string): string => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
  return [encoded, strict, strict.replaceAll('%20', '+'), encodeURI(text.toWellFormed())].flatMap((form) => [
    form,
    lower(form),
  ])
}

/**
 * By itself and inside of a longer text (`user:password`): there it begins at one of three places of a group, and
 * the letters at its ends depend on its neighbours.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text)
  const inside = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const from = offset === 0 ? 0 : offset + 1
    const isOpen = (offset + bytes.length) % 3 !== 0
    return encoded.slice(from, isOpen ? -1 : undefined)
  })
  const forms = [bytes.toString('base64'), ...inside].filter((form) => form.length >= MIN_BASE64_CHARS)
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')])
}

/** The longest first, so that of two that begin alike the whole is taken. */
function toPattern(forms: ReadonlySet<string>): RegExp {
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length)
  return new RegExp(longestFirst.map((form) => form.replace(SYNTAX, '\\$&')).join('|'), 'g')
}
