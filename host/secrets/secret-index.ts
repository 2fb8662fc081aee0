/** As many characters of a form are looked up at once; none is shorter. */
const KEY_CHARS = 3
const KEY_BITS = 10
const KEY_MASK = (1 << KEY_BITS) - 1

/**
 * Finds many texts in another one, in time that hardly depends on how many they are: a plugin chooses how much the
 * daemon has to look through.
 */
export class SecretIndex {
  /** By their first characters; the longest first, so that of two that begin alike the whole is found. */
  readonly #forms = new Map<number, string[]>()
  readonly #firsts = new Set<string>()
  /** Of the longest. */
  readonly longestChars: number

  /** @param forms of at least three characters each */
  constructor(forms: Iterable<string>) {
    let longest = 0
    for (const form of forms) {
      longest = Math.max(longest, form.length)
      const key = keyAt(form, 0)
      this.#forms.set(key, [...(this.#forms.get(key) ?? []), form])
      for (let length = 1; length < KEY_CHARS; length += 1) this.#firsts.add(form.slice(0, length))
    }
    for (const alike of this.#forms.values()) alike.sort((one, other) => other.length - one.length)
    this.longestChars = longest
  }

  /** Where they stand, from and to, from left to right. */
  find(text: string): [number, number][] {
    const found: [number, number][] = []
    if (this.longestChars === 0) return found
    const last = text.length - KEY_CHARS
    for (let at = 0; at <= last; at += 1) {
      const form = this.#forms.get(keyAt(text, at))?.find((one) => text.startsWith(one, at))
      if (form === undefined) continue
      found.push([at, at + form.length])
      at += form.length - 1
    }
    return found
  }

  /** How many characters at the end of a text may be the beginning of one. */
  openLength(text: string): number {
    const first = Math.max(0, text.length - this.longestChars + 1)
    for (let at = first; at < text.length; at += 1) if (this.#isOpenAt(text, at)) return text.length - at
    return 0
  }

  #isOpenAt(text: string, at: number): boolean {
    const length = text.length - at
    if (length < KEY_CHARS) return this.#firsts.has(text.slice(at))
    const alike = this.#forms.get(keyAt(text, at))
    return alike?.some((form) => form.length > length && form.startsWith(text.slice(at))) === true
  }
}

/** Equal for equal characters, and seldom for others: whoever finds one compares the whole. */
function keyAt(text: string, at: number): number {
  const [first, second, third] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)]
  return ((first & KEY_MASK) << (2 * KEY_BITS)) | ((second & KEY_MASK) << KEY_BITS) | (third & KEY_MASK)
}
