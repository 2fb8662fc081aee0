/** Shorter ones would blot out ordinary words. */
const MIN_SECRET_CHARS = 6
/** A line of a secret by itself: what is logged is cut into lines. */
const MIN_LINE_CHARS = 16
/** Base64 of a part of a longer text: fewer characters are found by chance. */
const MIN_BASE64_CHARS = 8

/** Words that stand in any log: to take them out would hide nothing and spoil much. */
const COMMON_VALUES =
  /^(?:true|false|enabled?|disabled?|default|undefined|localhost|production|development|staging|testing|https?:\/\/localhost(?::\d+)?\/?|127\.0\.0\.1|0\.0\.0\.0|(.)\1*)$/i
/** Variables that say where and in which language a process runs. */
const ORDINARY_NAMES =
  /^(?:TZ|LANG|LANGUAGE|LC_[A-Z]+|HOME|PWD|OLDPWD|PATH|SHELL|USER|LOGNAME|HOSTNAME|TERM|COLORTERM|EDITOR|PAGER|DISPLAY|TMPDIR|XDG_[A-Z_]+|CI|NO_COLOR|FORCE_COLOR|COLUMNS|LINES|WATCH_REPORT_DEPENDENCIES)$/

/** Whether a value can be taken out of texts at all. */
export function isRedactable(value: string): boolean {
  return value.length >= MIN_SECRET_CHARS && !COMMON_VALUES.test(value)
}

/** Whether a variable of the environment may hold a secret, by its name. */
export function isSecretName(name: string): boolean {
  return !ORDINARY_NAMES.test(name)
}

/** Every spelling of a secret that is looked for; none where it can't be taken out. */
export function formsOf(secret: string): string[] {
  if (!isRedactable(secret)) return []
  const lines = secret.includes('\n')
    ? secret
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter((line) => line.length >= MIN_LINE_CHARS && !line.startsWith('-----'))
    : []
  const forms = [secret, ...lines].flatMap((text) => [
    text,
    ...jsonForms(text),
    ...urlForms(text),
    ...base64Forms(text),
    ...hexForms(text),
    ...hostForms(text),
  ])
  return [...new Set(forms)]
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

/** A name of a host is told in lower case, whoever asks for it. Shorter ones might be words. */
function hostForms(text: string): string[] {
  return text.length >= MIN_LINE_CHARS && /^[A-Za-z0-9._-]+$/.test(text) ? [text.toLowerCase()] : []
}

function hexForms(text: string): string[] {
  const hex = Buffer.from(text).toString('hex')
  return [hex, hex.toUpperCase()]
}
