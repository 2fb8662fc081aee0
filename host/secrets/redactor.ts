import { formsOf } from './secret-forms.ts'

export const SHOWN = '[secret]'
const SYNTAX = /[.*+?^${}()|[\]\\/]/g
/** A secret that was replaced, or only looked at, is still taken out for so long, and of those the latest so many. */
const RETIRED_MS = 24 * 3_600_000
const MAX_RETIRED = 200
/** What is left of a secret at the end of a text that was cut: fewer characters are found by chance. */
const MIN_CUT_CHARS = 4

/** Takes secrets out of text that leaves the daemon, also where they stand in JSON, in a URL, in base64 or in hex. */
export class Redactor {
  readonly #now: () => number
  readonly #held = new Map<string, ReadonlySet<string>>()
  /** Until when, the oldest first. */
  readonly #retired = new Map<string, number>()
  #compiled: { readonly pattern: RegExp; readonly forms: readonly string[] } | null | undefined = null

  /** The clock is monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** From now on these are the secrets of that source; those that it had before are forgotten after a while. */
  hold(source: string, secrets: Iterable<string>): void {
    const next = new Set([...secrets].filter((secret) => formsOf(secret).length > 0))
    const before = this.#held.get(source) ?? new Set()
    if (next.size === before.size && [...next].every((secret) => before.has(secret))) return
    if (next.size === 0) this.#held.delete(source)
    else this.#held.set(source, next)
    for (const secret of before) if (!next.has(secret)) this.#retire(secret)
    this.#compiled = undefined
  }

  /** Somebody saw it, and maybe nobody will keep it. */
  add(secret: string): void {
    if (formsOf(secret).length === 0) return
    this.#retire(secret)
    this.#compiled = undefined
  }

  redact(text: string): string {
    const { pattern } = this.#current() ?? {}
    return pattern === undefined ? text : text.replace(pattern, SHOWN)
  }

  /** The same for a text whose end was cut off, maybe in the middle of a secret. */
  redactCut(text: string): string {
    const redacted = this.redact(text)
    const length = this.openLength(redacted)
    return length < MIN_CUT_CHARS ? redacted : redacted.slice(0, -length) + SHOWN
  }

  /** Where secrets stand in a text, from and to. */
  find(text: string): [number, number][] {
    const { pattern } = this.#current() ?? {}
    if (pattern === undefined) return []
    return Array.from(text.matchAll(pattern), ({ index, 0: found }) => [index, index + found.length])
  }

  /** How many characters at the end of a text may be the beginning of a secret. */
  openLength(text: string): number {
    let longest = 0
    for (const form of this.#current()?.forms ?? []) {
      for (let length = Math.min(form.length - 1, text.length); length > longest; length -= 1) {
        const from = text.length - length
        if (text.charCodeAt(from) === form.charCodeAt(0) && form.startsWith(text.slice(from))) {
          longest = length
          break
        }
      }
    }
    return longest
  }

  /** Characters of the longest spelling that is looked for. */
  get longestChars(): number {
    return this.#current()?.forms[0]?.length ?? 0
  }

  #retire(secret: string): void {
    this.#retired.delete(secret)
    this.#retired.set(secret, this.#now() + RETIRED_MS)
    const [oldest] = this.#retired.keys()
    if (this.#retired.size > MAX_RETIRED && oldest !== undefined) this.#retired.delete(oldest)
  }

  /** Built by the next text: many secrets come at once. */
  #current(): { readonly pattern: RegExp; readonly forms: readonly string[] } | null {
    this.#forget()
    if (this.#compiled !== undefined) return this.#compiled
    const secrets = [...this.#held.values()].flatMap((held) => [...held])
    const forms = new Set([...secrets, ...this.#retired.keys()].flatMap(formsOf))
    // The longest first, so that of two that begin alike the whole is taken.
    const longestFirst = [...forms].toSorted((a, b) => b.length - a.length)
    const pattern = new RegExp(longestFirst.map((form) => form.replace(SYNTAX, '\\$&')).join('|'), 'g')
    this.#compiled = longestFirst.length === 0 ? null : { pattern, forms: longestFirst }
    return this.#compiled
  }

  #forget(): void {
    if (this.#retired.size === 0) return
    const nowMs = this.#now()
    for (const [secret, untilMs] of this.#retired) {
      if (untilMs > nowMs) return
      this.#retired.delete(secret)
      this.#compiled = undefined
    }
  }
}
