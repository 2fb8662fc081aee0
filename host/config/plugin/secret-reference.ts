import { isTree } from './merge-config.ts'

/** `${env:NAME}`, `${file:/path}`; with one more dollar sign before it the text itself is meant. */
const REFERENCE = /\$?\$\{(env|file):([^}]*)\}/g

export interface SecretReference {
  /** As it stands in the text, `${env:TOKEN}`. */
  readonly text: string
  readonly kind: 'env' | 'file'
  readonly name: string
}

/** The references in one text. */
export function referencesIn(text: string): SecretReference[] {
  return [...text.matchAll(REFERENCE)]
    .filter(([found]) => !found.startsWith('$$'))
    .map(([found, kind, name = '']) => ({ text: found, kind: kind === 'env' ? 'env' : 'file', name }))
}

/** Puts the values in; a reference that is not in the map stays. `$${env:X}` becomes `${env:X}`. */
export function fillReferences(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(REFERENCE, (found) =>
    found.startsWith('$$') ? found.slice(1) : (values.get(found) ?? found),
  )
}

/** Whether the text would be changed by filling it in. */
export function hasReference(text: string): boolean {
  return text.includes('${') && text.search(REFERENCE) !== -1
}

/** The paths of all texts with references below a value. */
export function referencePaths(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value === 'string') return hasReference(value) ? [[...path]] : []
  if (Array.isArray(value))
    return value.flatMap((item, index) => referencePaths(item, [...path, String(index)]))
  if (!isTree(value)) return []
  return Object.entries(value).flatMap(([key, item]) => referencePaths(item, [...path, key]))
}
