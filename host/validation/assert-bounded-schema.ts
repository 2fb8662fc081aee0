import { MAX_JSON_DEPTH } from '../../src/contract/limits.ts'
import { quoteText } from '../../src/contract/quote-text.ts'

const MAX_NODES = 50_000
/** Drafts whose words this compiler understands; draft 7 as far as it agrees with 2020-12. */
const KNOWN_DRAFTS = /^https?:\/\/json-schema\.org\/(draft\/2020-12|draft-07)\/schema#?$/

/** A schema that this compiler does not take; the message is for the manifest's author. */
export class SchemaRefused extends Error {
  override readonly name = 'SchemaRefused'
}

/**
 * Parses a schema and refuses what ajv would take and we do not: references to elsewhere, own identities,
 * asynchronous validation, keys that reach a prototype, and sizes beyond reason. Without `$schema` and `$id` of
 * the root, which editors want and ajv would look up.
 */
export function parseSchema(schemaJson: string): Record<string, unknown> | boolean {
  const schema: unknown = JSON.parse(schemaJson)
  if (typeof schema === 'boolean') return schema
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new SchemaRefused(`it is ${describe(schema)}, expected a table of JSON Schema keywords`)
  }
  const { $schema: draft, $id: _id, ...rest } = schema as Record<string, unknown>
  if (draft !== undefined && (typeof draft !== 'string' || !KNOWN_DRAFTS.test(draft))) {
    const shown = typeof draft === 'string' ? quoteText(draft) : describe(draft)
    throw new SchemaRefused(
      `its "$schema" is ${shown}, expected https://json-schema.org/draft/2020-12/schema`,
    )
  }
  assertBounded(rest)
  return rest
}

/** Iterative, so that the depth it refuses cannot exhaust the stack first. */
function assertBounded(root: Record<string, unknown>): void {
  const waiting: { value: object; depth: number }[] = [{ value: root, depth: 1 }]
  let nodes = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next
    if (depth > MAX_JSON_DEPTH) throw new SchemaRefused(`it is nested deeper than ${MAX_JSON_DEPTH} levels`)
    for (const [key, inner] of Object.entries(value)) {
      nodes += 1
      if (nodes > MAX_NODES) throw new SchemaRefused(`it has more than ${MAX_NODES} values`)
      if (!Array.isArray(value)) assertKey(key, inner)
      if (typeof inner === 'object' && inner !== null)
        waiting.push({ value: inner as object, depth: depth + 1 })
    }
  }
}

function assertKey(key: string, value: unknown): void {
  if (key === '__proto__') throw new SchemaRefused('it names a property "__proto__"; give it another name')
  if (key === '$async' && value !== false) {
    throw new SchemaRefused('it asks for "$async"; input is checked synchronously. Remove that key')
  }
  // As a property's name these have a schema as their value, never a string.
  if (typeof value !== 'string') return
  if (key === '$ref' && !value.startsWith('#')) {
    throw new SchemaRefused(`its "$ref" ${quoteText(value)} leads out of it. Copy that schema into "$defs"`)
  }
  if (key === '$id' || key === '$anchor' || key === '$dynamicRef' || key === '$dynamicAnchor') {
    throw new SchemaRefused(
      `it has "${key}" ${quoteText(value)} inside. Use "$defs" with "$ref": "#/$defs/…"`,
    )
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return value === null ? 'null' : `a ${typeof value}`
}
