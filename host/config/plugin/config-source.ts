import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  stringify,
} from 'yaml'
import type { SourcePlace } from '../../../src/contract/manifest/key-locator.ts'
import { messageOf } from '../../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import { quoteText } from '../../../src/contract/quote-text.ts'
import { configField } from './config-field.ts'

/** Aliases resolved in one file; each may stand for a tree that holds further ones. */
const MAX_ALIASES = 64
const MAX_DEPTH = 64
const MAX_SYNTAX_ISSUES = 20
const ONE_LINE = 0

/** The text of a plugin's configuration, and how messages name its file. */
export interface ConfigFile {
  readonly path: string
  /** Null where there is no file. */
  readonly text: string | null
}

export interface ParsedConfig {
  /** Null when there is an error among the issues. */
  readonly source: ConfigSource | null
  readonly issues: readonly ManifestIssue[]
}

type Tree = Record<string, unknown>
interface Places {
  readonly key: number
  readonly value: number
}

/** A configuration that somebody hands over as an object, as the file that would hold it. */
export function toConfigFile(path: string, config: Readonly<Tree>): ConfigFile {
  return { path, text: stringify(config, { lineWidth: ONE_LINE }) }
}

/** What a file says, as plain JSON values, and where each of them stands. */
export class ConfigSource {
  readonly path: string
  readonly data: Readonly<Tree>
  readonly #offsets: ReadonlyMap<string, Places>
  readonly #lines: LineCounter

  constructor(path: string, data: Readonly<Tree>, offsets: ReadonlyMap<string, Places>, lines: LineCounter) {
    this.path = path
    this.data = data
    this.#offsets = offsets
    this.#lines = lines
  }

  /** How many steps of the path the file has. */
  depthOf(path: readonly string[]): number {
    for (let depth = path.length; depth > 0; depth -= 1) {
      if (this.#offsets.has(keyOf(path.slice(0, depth)))) return depth
    }
    return 0
  }

  /** Of the path, or of the nearest above it that the file has. */
  placeOf(path: readonly string[], part: 'key' | 'value'): SourcePlace {
    const depth = this.depthOf(path)
    const found = this.#offsets.get(keyOf(path.slice(0, depth)))
    const offset = depth === path.length ? found?.[part] : found?.key
    return offset === undefined ? { line: 1, column: 1 } : placeAt(this.#lines, offset)
  }
}

/** Parses one file. Reports every mistake with its place, and never throws. */
export function parseConfig(file: ConfigFile): ParsedConfig {
  const lines = new LineCounter()
  const fault = (offset: number, path: readonly string[], message: string): ManifestIssue => ({
    file: file.path,
    ...placeAt(lines, offset),
    field: configField(path),
    severity: 'error',
    message,
  })
  const unreadable = (offset: number, words: string): ManifestIssue =>
    fault(offset, [], `Cannot read the configuration: it is not YAML, ${inWords(words)}. Mend it there`)
  let document: Document.Parsed
  try {
    document = readDocument(file.text ?? '', lines)
  } catch (error) {
    return { source: null, issues: [unreadable(0, messageOf(error))] }
  }
  const syntax = document.errors
    .slice(0, MAX_SYNTAX_ISSUES)
    .map((error) => unreadable(error.pos[0], error.message))
  if (syntax.length > 0) return { source: null, issues: syntax }
  const survey = new DocumentSurvey(fault)
  survey.visitRoot(document.contents)
  if (survey.issues.length > 0) return { source: null, issues: survey.issues.slice(0, MAX_SYNTAX_ISSUES) }
  try {
    const data = (document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}) as Tree
    return { source: new ConfigSource(file.path, data, survey.offsets, lines), issues: [] }
  } catch (error) {
    // Aliases of aliases that would grow without end.
    return { source: null, issues: [unreadable(0, `its aliases can't be resolved: ${messageOf(error)}`)] }
  }
}

/** As `parseConfig` reads it; an update edits it. May throw a RangeError of the stack. */
export function readDocument(text: string, lineCounter = new LineCounter()): Document.Parsed {
  // `uniqueKeys` compares each key with each other: 100,000 of them took more than two minutes.
  return parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true, uniqueKeys: false })
}

/** Walks a document once: notes where everything stands, and finds what a configuration cannot hold. */
class DocumentSurvey {
  readonly issues: ManifestIssue[] = []
  readonly offsets = new Map<string, Places>()
  readonly #fault: (offset: number, path: readonly string[], message: string) => ManifestIssue

  constructor(fault: (offset: number, path: readonly string[], message: string) => ManifestIssue) {
    this.#fault = fault
  }

  visitRoot(contents: Node | null): void {
    // `null` is what a file of comments holds.
    if (contents === null || (isScalar(contents) && contents.value === null)) return
    if (isMap(contents)) this.#visit(contents, [])
    else
      this.#report(
        contents,
        [],
        'Cannot use the file: found no keys, expected a map of keys. Write "enabled: true"',
      )
  }

  #visit(node: unknown, path: readonly string[]): void {
    if (path.length > MAX_DEPTH) {
      this.#report(
        node,
        path.slice(0, 3),
        `Cannot use the file: it is nested deeper than ${MAX_DEPTH} levels. Make it flatter`,
      )
      return
    }
    if (isMap(node)) this.#visitMap(node.items, path)
    else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        const step = [...path, String(index)]
        this.offsets.set(keyOf(step), { key: startOf(item), value: startOf(item) })
        this.#visit(item, step)
      }
    } else if (isScalar(node)) this.#checkScalar(node, path)
    else if (!isAlias(node) && node !== null)
      this.#report(
        node,
        path,
        `${cannotUse(path)} found a tagged value, expected plain YAML. Take the tag away`,
      )
  }

  #visitMap(items: readonly { key: unknown; value: unknown }[], path: readonly string[]): void {
    const seen = new Set<string>()
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : null
      const problem = name === null ? 'a key is no plain text. Write it as text' : keyProblem(name, seen)
      if (name === null || problem !== null) {
        this.#report(key, [...path, name ?? ''], `${cannotUse([...path, name ?? ''])} ${problem}`)
        continue
      }
      seen.add(name)
      const step = [...path, name]
      this.offsets.set(keyOf(step), {
        key: startOf(key),
        value: value === null ? startOf(key) : startOf(value),
      })
      this.#visit(value, step)
    }
  }

  /** What JSON has no word for would reach the plugin as something else. */
  #checkScalar({ value, range }: Scalar, path: readonly string[]): void {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return
    if (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      (!Number.isInteger(value) || Number.isSafeInteger(value))
    )
      return
    const found =
      typeof value === 'number' ? 'a number that JSON cannot hold exactly' : 'a value that JSON does not have'
    const at = range?.[0] ?? 0
    this.issues.push(
      this.#fault(
        at,
        path,
        `${cannotUse(path)} found ${found}, expected text, a number, true or false. Write it in quotes`,
      ),
    )
  }

  #report(node: unknown, path: readonly string[], message: string): void {
    this.issues.push(this.#fault(startOf(node), path, message))
  }
}

/** The parser calls itself for each level: what it says of a thousand brackets is about its stack. */
function inWords(message: string): string {
  return message.includes('call stack') ? 'it is nested too deeply' : message.replace(/\.+$/, '')
}

function keyProblem(name: string, seen: ReadonlySet<string>): string | null {
  if (seen.has(name)) return 'the key stands here twice. Remove one'
  if (name === '__proto__') return '"__proto__" is no name of a key. Give it another'
  return name === '<<' ? 'merge keys are not read. Write the keys out' : null
}

function cannotUse(path: readonly string[]): string {
  const field = configField(path)
  return `Cannot use ${field.includes('"') ? field : quoteText(field)}:`
}

function startOf(node: unknown): number {
  const range = (node as Node | null)?.range
  return range?.[0] ?? 0
}

function placeAt(lines: LineCounter, offset: number): SourcePlace {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

/** Keys may hold dots. */
function keyOf(path: readonly string[]): string {
  return JSON.stringify(path)
}
