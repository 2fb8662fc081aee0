import { readFileSync, statSync } from 'node:fs'
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Scalar,
  visit,
} from 'yaml'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { MAX_SHOWN_PROBLEMS } from './config-layer.ts'
import { inWords, parseYaml, toData } from './parse-yaml.ts'

const MAX_FILE_BYTES = 1024 * 1024

/** A file that is well formed; what stands in it nobody has looked at. */
export interface YamlFile {
  readonly data: unknown
  readonly warnings: readonly string[]
  /** `file:line:column` of a value, or of the key itself. */
  placeOf(path: readonly string[], isKey: boolean): string
}

/** Null when it is not there. Throws `CONFIG_INVALID` with every place that is wrong. */
export function readYaml(file: string): YamlFile | null {
  const text = readText(file)
  if (text === null) return null
  const lineCounter = new LineCounter()
  const document = parse(text, lineCounter, file)
  const placeOf = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const faults = document.errors.map((error) => `${placeOf(error.pos[0])}: ${inWords(error.message)}`)
  for (const key of doubleKeys(document)) {
    faults.push(
      `${placeOf(key.range?.[0] ?? 0)}: ${quoteText(String(key.value))} stands here twice. Remove one`,
    )
  }
  if (faults.length > 0) throw invalidFile(file, faults.slice(0, MAX_SHOWN_PROBLEMS))
  return {
    data: dataOf(document, file),
    warnings: document.warnings.map((warning) => `${placeOf(warning.pos[0])}: ${warning.message}`),
    placeOf: (path, isKey) => placeOf(findNode(document, path, isKey)?.range?.[0] ?? 0),
  }
}

function readText(file: string): string | null {
  try {
    const stats = statSync(file)
    const { size } = stats
    // Reading a pipe or a terminal would hold the daemon until somebody writes.
    if (!stats.isFile() && !stats.isDirectory()) throw new Error('it is no regular file')
    if (size > MAX_FILE_BYTES) {
      const message = `Cannot read "${file}": it has ${size} bytes, at most ${MAX_FILE_BYTES} are allowed. Shorten it`
      throw new PhantomError('CONFIG_INVALID', message, { details: { file, size } })
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof PhantomError) throw error
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    const message = `Cannot read "${file}": ${messageOf(error)}. Make it a readable UTF-8 file, or remove it`
    throw new PhantomError('CONFIG_INVALID', message, { cause: error, details: { file } })
  }
}

function parse(text: string, lineCounter: LineCounter, file: string): Document.Parsed {
  try {
    return parseYaml(text, lineCounter)
  } catch (error) {
    throw invalidFile(file, [`${file}:1:1: ${inWords(messageOf(error))}`])
  }
}

/** In every map of the file; a value that stands for another is looked at where it stands. */
function doubleKeys(document: Document.Parsed): Scalar[] {
  const found: Scalar[] = []
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>()
      const keys = map.items.flatMap((pair) => (isScalar(pair.key) ? pair.key : []))
      found.push(...keys.filter((key) => seen.size === seen.add(key.value).size))
    },
  })
  return found
}

function dataOf(document: Document.Parsed, file: string): unknown {
  try {
    return toData(document)
  } catch (error) {
    throw invalidFile(file, [`${file}:1:1: its aliases can't be resolved: ${messageOf(error)}`])
  }
}

function findNode(document: Document.Parsed, path: readonly string[], isKey: boolean): Node | null {
  let node: Node | null = document.contents
  for (const [index, key] of path.entries()) {
    const parent: Node | null = isAlias(node) ? (node.resolve(document) ?? null) : node
    if (isSeq(parent)) {
      const item: unknown = parent.items[Number(key)]
      node = isNode(item) ? item : null
      continue
    }
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === key)
      : undefined
    const wanted: unknown = isKey && index === path.length - 1 ? pair?.key : pair?.value
    node = isNode(wanted) ? wanted : null
  }
  return node
}

export function invalidFile(file: string, places: readonly string[]): PhantomError {
  return new PhantomError('CONFIG_INVALID', `Cannot use the configuration "${file}":\n${places.join('\n')}`, {
    details: { file, problems: places },
  })
}
