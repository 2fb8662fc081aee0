import { isDeepStrictEqual } from 'node:util'
import { parse } from 'smol-toml'
import { createKeyLocator } from '../contract/manifest/key-locator.ts'
import { PhantomError } from '../contract/phantom-error.ts'

export interface ManifestAdditions {
  /** Permission strings for `[permissions]`. */
  readonly permissions: readonly string[]
  /** Keys of `[runtime]` to set to true. */
  readonly runtime: readonly string[]
}

type Tree = Record<string, unknown>

/**
 * Puts permissions into the text of a plugin.toml. Comments, order and what else stands there stay as they are.
 *
 * @throws PhantomError MANIFEST_INVALID where they can't be put there without changing anything else
 */
export function addToManifest(text: string, additions: ManifestAdditions): string {
  let edited = text
  for (const permission of additions.permissions) edited = addPermission(edited, permission)
  for (const key of additions.runtime) edited = setTrue(edited, key)
  assertEdited(text, edited, additions)
  return edited
}

function addPermission(text: string, permission: string): string {
  const item = JSON.stringify(permission)
  const listed = listIn(text)
  if (listed === null) return addLine(text, 'permissions', `permissions = [${item}]`)
  if (listed.includes(permission)) return text
  const place = createKeyLocator(text)
  if (listed.length === 0) {
    const open = text.indexOf('[', text.indexOf('=', offsetOf(text, place(['permissions', 'permissions']))))
    return insert(text, open + 1, item)
  }
  const last = offsetOf(text, place(['permissions', 'permissions', listed.length - 1]))
  const end = endOfString(text, last)
  const lineStart = text.lastIndexOf('\n', last) + 1
  const indent = text.slice(lineStart, last)
  // One a line: the new one gets its own, behind a comment that belongs to the last.
  if (indent.trim() !== '') return insert(text, end, `, ${item}`)
  const comma = /^[ \t]*,/.exec(text.slice(end))?.[0] ?? null
  const withComma = comma === null ? insert(text, end, ',') : text
  const lineEnd = withComma.indexOf('\n', end)
  return lineEnd === -1 ? insert(text, end, `, ${item}`) : insert(withComma, lineEnd, `\n${indent}${item},`)
}

function setTrue(text: string, key: string): string {
  const runtime = (parse(text) as Tree)['runtime'] as Tree | undefined
  if (runtime?.[key] === true) return text
  if (runtime === undefined || !Object.hasOwn(runtime, key)) return addLine(text, 'runtime', `${key} = true`)
  const at = text.indexOf('=', offsetOf(text, createKeyLocator(text)(['runtime', key])))
  return text.slice(0, at) + text.slice(at).replace(/^=(\s*)false/, '=$1true')
}

/** Right below the head of its table, or with the table at the end. */
function addLine(text: string, table: string, line: string): string {
  if (!Object.hasOwn(parse(text), table)) return `${text.trimEnd()}\n\n[${table}]\n${line}\n`
  const head = offsetOf(text, createKeyLocator(text)([table]))
  const lineEnd = text.indexOf('\n', head)
  return lineEnd === -1 ? `${text}\n${line}\n` : insert(text, lineEnd, `\n${line}`)
}

function listIn(text: string): readonly unknown[] | null {
  const table = (parse(text) as Tree)['permissions'] as Tree | undefined
  const list = table?.['permissions']
  return Array.isArray(list) ? list : null
}

/** A text that is no manifest any more, or another one than was asked for, is not written. */
function assertEdited(before: string, after: string, { permissions, runtime }: ManifestAdditions): void {
  const wanted = structuredClone(parse(before)) as Tree
  if (permissions.length > 0) {
    const table = (wanted['permissions'] ??= {}) as Tree
    table['permissions'] = [...new Set([...((table['permissions'] as string[]) ?? []), ...permissions])]
  }
  for (const key of runtime) ((wanted['runtime'] ??= {}) as Tree)[key] = true
  if (isSame(wanted, after)) return
  throw new PhantomError(
    'MANIFEST_INVALID',
    'Cannot put the permissions into plugin.toml: it is written in a way that can not be changed without changing more. ' +
      'Put the lines in by hand',
  )
}

function isSame(wanted: Tree, text: string): boolean {
  try {
    return isDeepStrictEqual(plain(wanted), plain(parse(text)))
  } catch {
    // No TOML any more: not what was wanted.
    return false
  }
}

/** Without prototypes, by which the two differ. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function offsetOf(text: string, { line, column }: ReturnType<ReturnType<typeof createKeyLocator>>): number {
  let start = 0
  for (let at = 1; at < line; at += 1) start = text.indexOf('\n', start) + 1
  return start + column - 1
}

function endOfString(text: string, start: number): number {
  const quote = text.charAt(start)
  let at = start + 1
  while (at < text.length && text.charAt(at) !== quote)
    at += quote === '"' && text.charAt(at) === '\\' ? 2 : 1
  return at + 1
}

function insert(text: string, at: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at)
}
