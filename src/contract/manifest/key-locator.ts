import { parse } from 'smol-toml'
import { quoteText } from '../quote-text.ts'

/** Keys of tables and indexes of arrays, from the document's root. */
export type KeyPath = readonly (string | number)[]

/** Both count from 1; columns in UTF-16 units, as smol-toml's own errors do. */
export interface SourcePlace {
  line: number
  column: number
}

interface KeyNode {
  offset: number
  children: Map<string | number, KeyNode> | null
  /** How many `[[…]]` headers opened this array of tables; 0 for everything else. */
  openedItems: number
}

interface KeyPart {
  name: string
  offset: number
}

/**
 * Tells where in a TOML source a key path stands; a path that is not there gives its nearest ancestor's place,
 * in the end 1:1. smol-toml keeps no positions, hence this second, lenient scan. It expects a source that
 * smol-toml accepted (so its depth is bounded) and ends on any other text, too. It runs at the first question.
 */
export function createKeyLocator(text: string): (path: KeyPath) => SourcePlace {
  let root: KeyNode | null = null
  let lineStarts: readonly number[] = []
  return (path) => {
    if (root === null) {
      root = new KeyScanner(text).scan()
      lineStarts = findLineStarts(text)
    }
    let node = root
    for (const key of path) {
      const child = node.children?.get(key)
      if (child === undefined) break
      node = child
    }
    return placeOf(node.offset, lineStarts)
  }
}

/** `operations[1].name`; keys that TOML would quote are quoted. Indexes count from 0. */
export function fieldName(path: KeyPath): string {
  let name = ''
  for (const key of path) {
    if (typeof key === 'number') name += `[${key}]`
    else name += `${name === '' ? '' : '.'}${/^[A-Za-z0-9_-]{1,64}$/.test(key) ? key : quoteText(key)}`
  }
  return name
}

class KeyScanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  scan(): KeyNode {
    const root = newNode(0)
    let table = root
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1
    for (this.#skipVoid(); this.#at < this.#text.length; this.#skipVoid()) {
      const start = this.#at
      if (this.#peek() === '[') table = this.#header(root)
      else this.#keyValue(table)
      if (this.#at === start) this.#at += 1
    }
    return root
  }

  #header(root: KeyNode): KeyNode {
    const opensItem = this.#text.startsWith('[[', this.#at)
    this.#at += opensItem ? 2 : 1
    let node = root
    const parts = this.#keyPath()
    for (const [index, part] of parts.entries()) {
      node = childOf(node, part.name, part.offset)
      const isLast = index === parts.length - 1
      if (isLast && opensItem) {
        if (node.openedItems === 0) node.offset = part.offset
        node.openedItems += 1
        node = childOf(node, node.openedItems - 1, part.offset)
      } else if (isLast) {
        node.offset = part.offset
      } else if (node.openedItems > 0) {
        node = childOf(node, node.openedItems - 1, part.offset)
      }
    }
    while (this.#peek() === ']') this.#at += 1
    return node
  }

  #keyValue(table: KeyNode): void {
    let node = table
    for (const part of this.#keyPath()) node = childOf(node, part.name, part.offset)
    if (this.#peek() === '=') this.#at += 1
    this.#skipBlanks()
    this.#value(node)
  }

  /** `a . "b c".d`, up to and without what ends it (`=` or `]`). */
  #keyPath(): KeyPart[] {
    const parts: KeyPart[] = []
    for (;;) {
      this.#skipBlanks()
      const offset = this.#at
      const isQuoted = this.#peek() === '"' || this.#peek() === "'"
      if (isQuoted) this.#string()
      else this.#bareKey()
      const source = this.#text.slice(offset, this.#at)
      parts.push({ name: isQuoted ? unquoted(source) : source, offset })
      this.#skipBlanks()
      if (this.#peek() !== '.') return parts
      this.#at += 1
    }
  }

  #value(node: KeyNode): void {
    const first = this.#peek()
    if (first === '[') this.#array(node)
    else if (first === '{') this.#inlineTable(node)
    else if (first === '"' || first === "'") this.#string()
    else this.#scalar()
  }

  #array(node: KeyNode): void {
    this.#at += 1
    for (let index = 0; this.#at < this.#text.length; index += 1) {
      this.#skipVoid()
      if (this.#peek() === ']') break
      this.#value(childOf(node, index, this.#at))
      this.#skipVoid()
      if (this.#peek() !== ',') break
      this.#at += 1
    }
    if (this.#peek() === ']') this.#at += 1
  }

  #inlineTable(node: KeyNode): void {
    this.#at += 1
    while (this.#at < this.#text.length) {
      this.#skipVoid()
      if (this.#peek() === '}') break
      this.#keyValue(node)
      this.#skipVoid()
      if (this.#peek() !== ',') break
      this.#at += 1
    }
    if (this.#peek() === '}') this.#at += 1
  }

  #string(): void {
    const quote = this.#peek()
    const mark = this.#text.startsWith(quote.repeat(3), this.#at) ? quote.repeat(3) : quote
    this.#at += mark.length
    while (this.#at < this.#text.length && !this.#text.startsWith(mark, this.#at)) {
      this.#at += quote === '"' && this.#peek() === '\\' ? 2 : 1
    }
    this.#at += mark.length
    // A multi-line string may end with one or two quotes of its own before the three that close it.
    if (mark.length === 3) for (let extra = 0; extra < 2 && this.#peek() === quote; extra += 1) this.#at += 1
  }

  #bareKey(): void {
    while (this.#at < this.#text.length && !' \t.=]\r\n'.includes(this.#peek())) this.#at += 1
  }

  #scalar(): void {
    while (this.#at < this.#text.length && !',]}#\r\n'.includes(this.#peek())) this.#at += 1
  }

  #skipBlanks(): void {
    while (this.#peek() === ' ' || this.#peek() === '\t') this.#at += 1
  }

  #skipVoid(): void {
    while (this.#at < this.#text.length) {
      if (this.#peek() === '#') {
        const end = this.#text.indexOf('\n', this.#at)
        this.#at = end === -1 ? this.#text.length : end
      } else if (' \t\r\n'.includes(this.#peek())) this.#at += 1
      else return
    }
  }

  #peek(): string {
    return this.#text.charAt(this.#at)
  }
}

function newNode(offset: number): KeyNode {
  return { offset, children: null, openedItems: 0 }
}

function childOf(node: KeyNode, key: string | number, offset: number): KeyNode {
  node.children ??= new Map()
  const known = node.children.get(key)
  if (known !== undefined) return known
  const child = newNode(offset)
  node.children.set(key, child)
  return child
}

function unquoted(source: string): string {
  if (!source.includes('\\')) return source.slice(1, -1)
  try {
    const { key } = parse(`key = ${source}`)
    return typeof key === 'string' ? key : source
  } catch {
    // Only a source that smol-toml never accepted gets here; its key is then simply not found.
    return source
  }
}

function findLineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function placeOf(offset: number, lineStarts: readonly number[]): SourcePlace {
  let low = 0
  let high = lineStarts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((lineStarts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 }
}
