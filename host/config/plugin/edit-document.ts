import { isDeepStrictEqual } from 'node:util'
import { type Document, isAlias, isMap, isScalar, type Node, type Pair, visit, YAMLMap } from 'yaml'
import { readDocument } from './config-source.ts'
import { isTree, patchConfig } from './merge-config.ts'

/** Longer lines are the user's: they are not folded. */
const NO_FOLDING = 0

type Tree = Readonly<Record<string, unknown>>
type Edited = Document<Node, boolean>

/**
 * The text after an update: objects merge into objects, null takes a key away, comments and order stay. The text
 * must be one that `parseConfig` accepts. Unchanged where the update says what stands there already.
 */
export function editConfigText(text: string, updates: Tree): string {
  const before = dataOf(readDocument(text))
  const after = patchConfig(before, updates)
  if (isDeepStrictEqual(before, after)) return text
  const edited = edit(text, updates, { areAliasesKept: true })
  if (edited !== null && isDeepStrictEqual(dataOf(readDocument(edited)), after)) return edited
  // What was changed had an anchor, and was meant elsewhere, too.
  const written = edit(text, updates, { areAliasesKept: false })
  if (written !== null && isDeepStrictEqual(dataOf(readDocument(written)), after)) return written
  throw new TypeError('Cannot edit the configuration: its text would say something else than the update')
}

function edit(text: string, updates: Tree, { areAliasesKept }: { areAliasesKept: boolean }): string | null {
  const document: Edited = readDocument(text)
  if (!areAliasesKept) writeAliasesOut(document)
  if (!isMap(document.contents)) document.contents = new YAMLMap(document.schema)
  patchMap(document, document.contents as YAMLMap, updates)
  try {
    const isListFlush = /^( *)[^\s#-][^\n]*:[ \t]*\r?\n\1- /m.test(text)
    const written = document.toString({ lineWidth: NO_FOLDING, indentSeq: !isListFlush })
    return text.includes('\r\n') ? written.replace(/\r?\n/g, '\r\n') : written
  } catch {
    // An alias whose anchor is gone.
    return null
  }
}

function patchMap(document: Edited, map: YAMLMap, updates: Tree): void {
  for (const [key, value] of Object.entries(updates)) {
    const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key)
    if (value === null) removeKey(document, map, pair)
    else if (pair === undefined)
      map.add(document.createPair(key, isTree(value) ? patchConfig({}, value) : value))
    else if (isTree(value) && isMap(pair.value)) patchMap(document, pair.value, value)
    else setValue(document, pair, isTree(value) ? patchConfig(asTree(pair.value, document), value) : value)
  }
}

/** A comment behind the old value stays behind the new one. */
function setValue(document: Edited, pair: Pair, value: unknown): void {
  const before = pair.value as Node | null
  const node = document.createNode(value)
  if (before !== null) {
    node.comment = before.comment ?? null
    node.commentBefore = before.commentBefore ?? null
    node.spaceBefore = before.spaceBefore ?? false
  }
  if (isScalar(before) && isScalar(node) && typeof before.value === 'string' && before.type !== undefined) {
    node.type = before.type
  }
  pair.value = node
}

/** What stands above the first key of the file, with an empty line between, is about the file. */
function removeKey(document: Edited, map: YAMLMap, pair: Pair | undefined): void {
  if (pair === undefined) return
  const isFirst = map === document.contents && map.items[0] === pair
  const comment = isFirst ? ((pair.key as Node).commentBefore ?? '') : ''
  map.items.splice(map.items.indexOf(pair), 1)
  const end = comment.lastIndexOf('\n\n')
  const head = end === -1 ? comment : comment.slice(0, end)
  if (head !== '') document.commentBefore = [document.commentBefore, head].filter(Boolean).join('\n\n')
}

function writeAliasesOut(document: Edited): void {
  const resolved = new Map<Node, unknown>()
  visit(document, {
    Alias: (_key, alias) => {
      resolved.set(alias, alias.toJS(document))
    },
  })
  visit(document, {
    Alias: (_key, alias) => document.createNode(resolved.get(alias)),
    Collection: (_key, node) => {
      delete node.anchor
    },
    Scalar: (_key, node) => {
      delete node.anchor
    },
  })
}

function asTree(node: unknown, document: Edited): Tree {
  const value: unknown = isAlias(node) ? node.toJS(document) : null
  return isTree(value) ? value : {}
}

function dataOf(document: Document): Tree {
  const data: unknown = document.toJS()
  return isTree(data) ? data : {}
}
