import { formsOf } from './secret-forms.ts'
import { SecretIndex } from './secret-index.ts'

export const SHOWN = '[secret]'
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
  #index: SecretIndex | null = null

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
    this.#index = null
  }

  /** Somebody saw it, and maybe nobody will keep it. */
  add(secret: string): void {
    if (formsOf(secret).length === 0) return
    this.#retire(secret)
    this.#index = null
  }

  redact(text: string): string {
    const found = this.find(text)
    if (found.length === 0) return text
    let redacted = ''
    let at = 0
    for (const [from, to] of found) {
      redacted += text.slice(at, from) + SHOWN
      at = to
    }
    return redacted + text.slice(at)
  }

  /** The same for a text whose end was cut off, maybe in the middle of a secret. */
  redactCut(text: string): string {
    const redacted = this.redact(text)
    const length = this.openLength(redacted)
    return length < MIN_CUT_CHARS ? redacted : redacted.slice(0, -length) + SHOWN
  }

  /** Where secrets stand in a text, from and to. */
  find(text: string): [number, number][] {
    return this.#current().find(text)
  }

  /** How many characters at the end of a text may be the beginning of a secret. */
  openLength(text: string): number {
    return this.#current().openLength(text)
  }

  /** Characters of the longest spelling that is looked for. */
  get longestChars(): number {
    return this.#current().longestChars
  }

  #retire(secret: string): void {
    this.#retired.delete(secret)
    this.#retired.set(secret, this.#now() + RETIRED_MS)
    const [oldest] = this.#retired.keys()
    if (this.#retired.size > MAX_RETIRED && oldest !== undefined) this.#retired.delete(oldest)
  }

  /** Built by the next text: many secrets come at once. */
  #current(): SecretIndex {
    this.#forget()
    if (this.#index !== null) return this.#index
    const secrets = [...this.#held.values()].flatMap((held) => [...held])
    this.#index = new SecretIndex(new Set([...secrets, ...this.#retired.keys()].flatMap(formsOf)))
    return this.#index
  }

  #forget(): void {
    if (this.#retired.size === 0) return
    const nowMs = this.#now()
    for (const [secret, untilMs] of this.#retired) {
      if (untilMs > nowMs) return
      this.#retired.delete(secret)
      this.#index = null
    }
  }
}
