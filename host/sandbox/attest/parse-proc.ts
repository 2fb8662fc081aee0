/**
 * The kernel's texts about a process. It wrote them, but names in them are anybody's: a line counts only where it
 * stands, and a figure only when it is one. What is not there is absent, never zero.
 */

/** `/proc/PID/status`. The first of two lines of one name counts: the kernel escapes line breaks in names. */
export function parseStatus(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon)
    if (!fields.has(name)) fields.set(name, line.slice(colon + 1).trim())
  }
  return fields
}

/** `1000 1000 1000 1000`; null for anything that is not a list of whole numbers. */
export function parseNumbers(text: string | undefined): readonly number[] | null {
  if (text === undefined) return null
  if (text === '') return []
  const words = text.split(/\s+/)
  return words.every((word) => /^\d{1,15}$/.test(word)) ? words.map(Number) : null
}

export interface KernelLimit {
  /** Infinity for `unlimited`. */
  readonly soft: number
  readonly hard: number
}

/** `/proc/PID/limits`, by the kernel's name (`Max data size`). */
export function parseLimits(text: string): ReadonlyMap<string, KernelLimit> {
  const limits = new Map<string, KernelLimit>()
  for (const line of text.split('\n')) {
    const [, name, soft, hard] =
      /^(Max [a-z ]+?) {2,}(unlimited|\d+) +(unlimited|\d+)(?: |$)/.exec(line) ?? []
    if (name === undefined || soft === undefined || hard === undefined) continue
    if (!limits.has(name)) limits.set(name, { soft: toLimit(soft), hard: toLimit(hard) })
  }
  return limits
}

function toLimit(word: string): number {
  return word === 'unlimited' ? Infinity : Number(word)
}

/** `/proc/PID/environ`: what the program was started with, in order; a name may come twice, or have no value. */
export function parseEnviron(text: string): readonly (readonly [name: string, value: string])[] {
  return text
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const equals = entry.indexOf('=')
      return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
    })
}
