import type { ErrorObject } from 'ajv'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { CONFIG_SCHEMA } from './config-schema.ts'

/** What is wrong in one layer: where (a path of keys), and in words. */
export interface ConfigProblem {
  readonly path: readonly string[]
  /** Whether the key itself is meant, not its value. */
  readonly isKey: boolean
  readonly message: string
}

/** One of ajv's errors in our words: what was found, what was expected, what to do. */
export function toProblem(error: ErrorObject, data: unknown): ConfigProblem {
  const path = error.instancePath.split('/').slice(1)
  const found = describe(valueAt(data, path))
  const name = path.join('.')
  if (error.keyword === 'additionalProperties') {
    const key = String((error.params as { additionalProperty: unknown }).additionalProperty)
    return { path: [...path, key], isKey: true, message: unknownKey(key, path) }
  }
  const where = name === '' ? 'The file' : `"${name}"`
  return { path, isKey: false, message: `${where} is ${found}, expected ${expectation(error)}. Change it` }
}

function unknownKey(key: string, path: readonly string[]): string {
  const known = knownKeys(path)
  const near = nearestName(key, known)
  const section = path.length === 0 ? 'the configuration' : `"${path.join('.')}"`
  const advice = near === null ? `Remove it, or use one of ${known.join(', ')}` : `Did you mean "${near}"?`
  return `${quoteText(key)} is no key of ${section}. ${advice}`
}

function knownKeys(path: readonly string[]): string[] {
  const sections: Readonly<Record<string, { properties: object }>> = CONFIG_SCHEMA.properties
  if (path.length === 0) return Object.keys(sections)
  return Object.keys(sections[path[0] ?? '']?.properties ?? {})
}

function expectation(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'type':
      return typeWords(params['type'])
    case 'enum':
      return `one of ${(params['allowedValues'] as unknown[]).map(toWritten).join(', ')}`
    case 'minimum':
      return `at least ${String(params['limit'])}`
    case 'maximum':
      return `at most ${String(params['limit'])}`
    case 'pattern':
      return 'an absolute path, or an empty text'
    default:
      return `a value that ${error.message ?? 'fits'}`
  }
}

/** As it must stand in YAML, where `0660` without quotes is the number 660. */
function toWritten(value: unknown): string {
  const isDigits = typeof value === 'string' && /^\d+$/.test(value)
  return isDigits ? `"${value}"` : String(value)
}

function typeWords(type: unknown): string {
  const types = Array.isArray(type) ? type : [type]
  if (types.includes('object')) return 'a map of keys'
  if (types.includes('array')) return 'a list'
  if (types.includes('boolean')) return 'true or false'
  return types.includes('integer') ? 'a whole number' : `a ${types.join(' or ')}`
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map of keys'
  return typeof value === 'string' ? quoteText(value) : JSON.stringify(value)
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  }
  return value
}
