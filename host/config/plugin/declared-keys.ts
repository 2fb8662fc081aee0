import { isTree } from './merge-config.ts'

/** Schemas looked into, for what a hostile one could spin out. */
const MAX_SCHEMAS = 1000
const BRANCHES = ['allOf', 'anyOf', 'oneOf'] as const
const CONDITIONS = ['if', 'then', 'else'] as const

/** Which of the keys the schema of an object speaks of at its top, also in branches and behind references. */
export function declaredKeys<Key extends string>(schema: unknown, keys: readonly Key[]): ReadonlySet<Key> {
  const declared = new Set<Key>()
  const seen = new Set<unknown>()
  const waiting: unknown[] = [schema]
  while (waiting.length > 0 && seen.size < MAX_SCHEMAS) {
    const next = waiting.pop()
    if (!isTree(next) || seen.has(next)) continue
    seen.add(next)
    for (const key of keys) if (speaksOf(next, key)) declared.add(key)
    for (const name of BRANCHES) if (Array.isArray(next[name])) waiting.push(...(next[name] as unknown[]))
    for (const name of CONDITIONS) waiting.push(next[name])
    if (typeof next['$ref'] === 'string') waiting.push(resolve(schema, next['$ref']))
  }
  return declared
}

function speaksOf(schema: Record<string, unknown>, key: string): boolean {
  const { properties, required } = schema
  return (
    (isTree(properties) && Object.hasOwn(properties, key)) ||
    (Array.isArray(required) && required.includes(key))
  )
}

/** A reference leads inside the schema alone: `#/$defs/base`. */
function resolve(root: unknown, reference: string): unknown {
  let at = root
  for (const step of reference.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    at = isTree(at) && Object.hasOwn(at, name) ? at[name] : undefined
  }
  return at
}
