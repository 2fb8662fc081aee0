import type { Problem } from './issue-list.ts'
import { fieldName, type KeyPath } from './key-locator.ts'
import { describeValue, isTable } from './table-reader.ts'

/** Levels of objects and arrays in one schema; what validators are generated from must stay small. */
const MAX_SCHEMA_DEPTH = 32
/** As JSON text in UTF-8. */
export const MAX_SCHEMA_BYTES = 256 * 1024

type Json = Record<string, unknown>

interface SchemaProblem extends Problem {
  /** Inside the schema. */
  readonly path: KeyPath
}

type SchemaReading = { readonly schema: Json } | { readonly problems: readonly SchemaProblem[] }

/** Keywords whose value is a schema or an array of schemas. */
const SCHEMA_KEYWORDS = new Set([
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'oneOf',
  'prefixItems',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
])
/** Keywords whose value has a schema under each of its keys. */
const SCHEMA_MAP_KEYWORDS = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
])

/** Turns a table of a manifest, or parsed JSON, into a JSON Schema that is plain JSON, bounded and supported. */
export function readSchema(value: unknown): SchemaReading {
  if (!isTable(value)) {
    const problem = `found ${describeValue(value)}, expected a JSON Schema`
    return { problems: [{ path: [], problem, remedy: 'Write a table, { type = "object" }' }] }
  }
  const problems: SchemaProblem[] = []
  const schema = copyJson(value, [], problems) as Json
  if (problems.length > 0) return { problems }
  const sizeBytes = new TextEncoder().encode(JSON.stringify(schema)).byteLength
  if (sizeBytes > MAX_SCHEMA_BYTES) {
    const problem = `the schema has ${sizeBytes} bytes, at most ${MAX_SCHEMA_BYTES} are allowed`
    return { problems: [{ path: [], problem, remedy: 'Make it smaller, with "$defs" for what repeats' }] }
  }
  findFormats(schema, [], problems)
  return problems.length > 0 ? { problems } : { schema }
}

/** A copy with ordinary prototypes; reports what JSON cannot say. */
function copyJson(value: unknown, path: KeyPath, problems: SchemaProblem[]): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  const isList = Array.isArray(value)
  if (!isList && !isTable(value)) {
    const problem = `found ${describeValue(value)}, which JSON cannot say`
    problems.push({ path, problem, remedy: 'Write a string, a number, true, false, an array or a table' })
    return null
  }
  // The schema itself is level 1.
  if (path.length >= MAX_SCHEMA_DEPTH) {
    const problem = `it lies deeper than the ${MAX_SCHEMA_DEPTH} levels that a schema may have`
    problems.push({ path, problem, remedy: 'Make it flatter, with "$defs" and "$ref"' })
    return null
  }
  if (isList) return value.map((item, index) => copyJson(item, [...path, index], problems))
  const copy: [string, unknown][] = []
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') {
      const problem = 'a schema may not speak of "__proto__"'
      problems.push({ path: [...path, key], problem, remedy: 'Remove the key' })
    } else copy.push([key, copyJson(item, [...path, key], problems)])
  }
  return Object.fromEntries(copy)
}

/** Finds the keyword `format`, and not a property of that name or a mention in `default`, `enum` or `const`. */
function findFormats(schema: unknown, path: KeyPath, problems: SchemaProblem[]): void {
  if (Array.isArray(schema)) {
    for (const [index, item] of schema.entries()) findFormats(item, [...path, index], problems)
    return
  }
  if (!isTable(schema)) return
  for (const [keyword, value] of Object.entries(schema)) {
    const at = [...path, keyword]
    if (keyword === 'format') {
      const problem = 'the keyword "format" is not supported yet by this version'
      problems.push({ path: at, problem, remedy: 'Use "pattern" with a regular expression' })
    } else if (SCHEMA_KEYWORDS.has(keyword)) findFormats(value, at, problems)
    else if (SCHEMA_MAP_KEYWORDS.has(keyword) && isTable(value)) {
      for (const [name, item] of Object.entries(value)) findFormats(item, [...at, name], problems)
    }
  }
}

/** Where in a schema file a problem stands, `properties.age.format`. */
export function schemaPlace(path: KeyPath): string {
  return path.length === 0 ? 'the schema' : fieldName(path)
}
