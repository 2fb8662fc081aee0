import { hasControlCharacters, quoteText } from '../quote-text.ts'
import type { IssueList, Problem } from './issue-list.ts'
import type { KeyPath } from './key-locator.ts'
import { nearestName } from './nearest-name.ts'

const DEFAULT_MAX_CHARS = 256

export type TomlTable = Readonly<Record<string, unknown>>

interface TextRule {
  /** What else must hold; words for what is wrong, null when all is well. */
  check?: (text: string) => string | null
  /** A good line, shown when this one is not. */
  sample: string
  maxChars?: number
  isMultiline?: boolean
}

interface IntegerRule {
  min: number
  max: number
}

/** Reads the values of one table and says what is wrong with each; a value that is wrong reads as null. */
export class TableReader {
  readonly #table: TomlTable
  readonly #path: KeyPath
  readonly #issues: IssueList

  constructor(table: TomlTable, path: KeyPath, issues: IssueList) {
    this.#table = table
    this.#path = path
    this.#issues = issues
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key)
  }

  get(key: string): unknown {
    return this.has(key) ? this.#table[key] : undefined
  }

  pathOf(key: string): KeyPath {
    return [...this.#path, key]
  }

  /** `homes` tells where else a key would be known, for `max_memory_mb` written under `[plugin]`. */
  rejectUnknownKeys(known: readonly string[], homes: (key: string) => string | null): void {
    for (const key of Object.keys(this.#table)) {
      if (known.includes(key)) continue
      this.#issues.error(this.pathOf(key), () => unknownKeyProblem(key, known, homes(key)))
    }
  }

  requiredText(key: string, rule: TextRule): string | null {
    if (this.has(key)) return this.text(key, rule)
    this.#issues.error(this.pathOf(key), { problem: 'it is missing', remedy: `Add ${key} = ${rule.sample}` })
    return null
  }

  text(key: string, rule: TextRule): string | null {
    const value = this.get(key)
    if (value === undefined) return null
    if (typeof value !== 'string')
      return this.#reject(key, value, 'a string', `Write ${key} = ${rule.sample}`)
    const problem = textProblem(value, rule)
    if (problem === null) return value
    this.#issues.error(this.pathOf(key), { problem, remedy: `Write for example ${key} = ${rule.sample}` })
    return null
  }

  integer(key: string, { min, max }: IntegerRule): number | null {
    const value = this.get(key)
    if (value === undefined) return null
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    const remedy =
      typeof value === 'string' ? 'Write the number without quotes' : 'Write a number in that range'
    return this.#reject(key, value, `an integer between ${min} and ${max}`, remedy)
  }

  flag(key: string): boolean | null {
    const value = this.get(key)
    if (value === undefined || typeof value === 'boolean') return value ?? null
    return this.#reject(key, value, 'true or false', `Write ${key} = true, or remove the line`)
  }

  choice<C extends string>(
    key: string,
    choices: readonly C[],
    /** Other words that people write for one of them. */
    meant: ReadonlyMap<string, C> = new Map(),
  ): C | null {
    const value = this.get(key)
    if (value === undefined) return null
    const chosen = choices.find((choice) => choice === value)
    if (chosen !== undefined) return chosen
    const near = typeof value === 'string' ? (meant.get(value) ?? nearestName(value, choices)) : null
    const list = choices.map((choice) => `"${choice}"`).join(', ')
    return this.#reject(
      key,
      value,
      `one of ${list}`,
      near === null ? 'Write one of these' : `Did you mean "${near}"?`,
    )
  }

  /** A table of free keys whose values are strings. */
  textEntries(rule: TextRule & { checkKey?: (key: string) => string | null }): Record<string, string> {
    const entries: [string, string][] = []
    for (const key of Object.keys(this.#table)) {
      const problem = rule.checkKey?.(key) ?? null
      if (problem === null) entries.push([key, this.text(key, rule) ?? ''])
      else this.#issues.error(this.pathOf(key), { problem, remedy: 'Rename it or remove the line' })
    }
    return Object.fromEntries(entries)
  }

  /** An array of strings; each element is offered with its path, elements of other types are reported. */
  texts(key: string, sample: string, take: (text: string, path: KeyPath) => void): void {
    const value = this.get(key)
    if (!Array.isArray(value)) {
      this.#reject(key, value, 'an array of strings', `Write ${key} = [${sample}]`)
      return
    }
    for (const [index, item] of value.entries()) {
      const path = [...this.pathOf(key), index]
      if (typeof item === 'string') take(item, path)
      else rejectValue(this.#issues, path, { found: item, expected: 'a string', remedy: `Write ${sample}` })
    }
  }

  #reject(key: string, found: unknown, expected: string, remedy: string): null {
    rejectValue(this.#issues, this.pathOf(key), { found, expected, remedy })
    return null
  }
}

export function rejectValue(
  issues: IssueList,
  path: KeyPath,
  { found, expected, remedy }: { found: unknown; expected: string; remedy: string },
): void {
  issues.error(path, { problem: `found ${describeValue(found)}, expected ${expected}`, remedy })
}

function unknownKeyProblem(key: string, known: readonly string[], home: string | null): Problem {
  const near = nearestName(key, known)
  let remedy = `Remove it; known here are ${known.map((name) => `"${name}"`).join(', ')}`
  if (home !== null) remedy = `Move it to ${home}`
  else if (near !== null) remedy = `Did you mean "${near}"?`
  return { problem: 'this key is unknown here', remedy }
}

export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** A value of a manifest in words, `the string "abc"`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return `the string ${quoteText(value)}`
  // Its digits may run to a megabyte.
  if (typeof value === 'bigint') return 'an integer beyond 9007199254740991'
  if (typeof value === 'number') return `the ${Number.isInteger(value) ? 'integer' : 'number'} ${value}`
  if (typeof value === 'boolean') return `the boolean ${value}`
  if (value instanceof Date) return 'a date or time'
  return Array.isArray(value) ? 'an array' : 'a table'
}

function textProblem(text: string, rule: TextRule): string | null {
  const maxChars = rule.maxChars ?? DEFAULT_MAX_CHARS
  if (text.trim() === '') return 'it is empty'
  if (text.length > maxChars) return `it has ${text.length} characters, at most ${maxChars} are allowed`
  const checked = rule.isMultiline === true ? text.replace(/[\t\r\n]/g, '') : text
  if (hasControlCharacters(checked)) return 'it holds a control character'
  return rule.check?.(text) ?? null
}
