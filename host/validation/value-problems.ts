import type { ErrorObject } from 'ajv'
import { quoteText } from '../../src/contract/quote-text.ts'

const MAX_PROBLEMS = 20
const MAX_EXPECTED_CHARS = 400
const MAX_KNOWN_KEYS = 100
const MAX_DEFAULT_CHARS = 80

/** One place of a value that does not fit its schema. The value itself is not in it: it may hold a secret. */
export interface ValueProblem {
  readonly path: readonly string[]
  /** The value that the problem depends on: the same path, or above it the choice (`anyOf`) that failed. */
  readonly scope: readonly string[]
  /** `key`: it must not be there. `missing`: it is not there. `value`: what stands there is wrong. */
  readonly subject: 'value' | 'key' | 'missing'
  readonly keyword: string
  /** In words, `a whole number`; for a key, why it must not be there. */
  readonly expected: string
  /** The keys that are known there, where an unknown one was found. */
  readonly known: readonly string[]
  /** The schema's default for the place as JSON, where it is short. */
  readonly defaultJson: string | null
}

/** With the place of the choice that it stands for. */
type FoundError = ErrorObject & { readonly choice?: string }

type Problem = Pick<ValueProblem, 'subject' | 'expected'> & { readonly key?: string }

/** What ajv found with `verbose` and `allErrors`, in words and without repetitions. */
export function toValueProblems(errors: readonly ErrorObject[]): ValueProblem[] {
  const problems = new Map<string, ValueProblem>()
  for (const error of withoutBranches(errors)) {
    if (problems.size >= MAX_PROBLEMS) break
    const problem = toValueProblem(error)
    problems.set(`${JSON.stringify(problem.path)} ${problem.expected}`, problem)
  }
  return [...problems.values()]
}

/**
 * Where a choice failed, ajv tells about each of its branches, then about the choice. Kept is the branch that got
 * furthest into the value, or else the choice. `if` only repeats that `then` or `else` failed.
 */
function withoutBranches(errors: readonly ErrorObject[]): FoundError[] {
  let kept: FoundError[] = []
  for (const error of errors) {
    if (error.keyword === 'if' && kept.length > 0) continue
    const isChoice = error.keyword === 'anyOf' || error.keyword === 'oneOf'
    const branches = isChoice ? kept.filter((earlier) => isInBranch(earlier, error)) : []
    const deepest = branches.reduce<FoundError>(
      (best, branch) => (depthOf(branch) > depthOf(best) ? branch : best),
      error,
    )
    kept = kept.filter((earlier) => !branches.includes(earlier))
    if (!isChoice) kept.push(error)
    else
      kept.push(deepest === error ? withTypes(error, branches) : { ...deepest, choice: error.instancePath })
  }
  return kept
}

/** Behind a `$ref` the path begins anew, at the definition. */
function isInBranch(error: ErrorObject, choice: ErrorObject): boolean {
  const isBelow =
    error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`)
  return (
    isBelow &&
    (error.schemaPath.startsWith(`${choice.schemaPath}/`) ||
      /^#\/(\$defs|definitions)\//.test(error.schemaPath))
  )
}

function depthOf(error: ErrorObject): number {
  return error.instancePath.split('/').length
}

/** A choice that only types decide is a type error of several types. */
function withTypes(choice: ErrorObject, branches: readonly ErrorObject[]): ErrorObject {
  if (branches.length === 0 || !branches.every(({ keyword }) => keyword === 'type')) return choice
  const types = branches.flatMap(({ params }) => (params as { type: string | string[] }).type)
  return { ...choice, keyword: 'type', params: { type: [...new Set(types)] } }
}

function toValueProblem(error: FoundError): ValueProblem {
  const { subject, expected, key } = describe(error)
  const path = [...stepsOf(error.instancePath), ...(key === undefined ? [] : [key])]
  const parent = (error.parentSchema ?? {}) as Record<string, unknown>
  return {
    path,
    scope: error.choice === undefined ? path : stepsOf(error.choice),
    subject,
    keyword: error.keyword,
    expected: expected.slice(0, MAX_EXPECTED_CHARS),
    known: subject === 'key' ? Object.keys(asTable(parent['properties'])).slice(0, MAX_KNOWN_KEYS) : [],
    defaultJson: subject === 'value' ? shortJson(parent['default']) : null,
  }
}

function describe(error: ErrorObject): Problem {
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'required':
      return missing(error, String(params['missingProperty']))
    case 'dependentRequired':
    case 'dependencies': {
      const { expected, ...rest } = missing(error, String(params['missingProperty']))
      return { ...rest, expected: `${expected}, since ${quoteText(String(params['property']))} is set` }
    }
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params['additionalProperty'] ?? params['unevaluatedProperty'])
      return { subject: 'key', key, expected: 'the configuration of the plugin has no such key' }
    }
    case 'propertyNames':
      return { subject: 'key', key: String(params['propertyName']), expected: 'keys must not be named so' }
    case 'false schema':
      return { subject: 'key', expected: 'nothing may stand there' }
    default:
      return {
        subject: 'value',
        expected: expectation(error.keyword, params) ?? `a value that ${error.message ?? 'fits'}`,
      }
  }
}

function missing(error: ErrorObject, key: string): Problem {
  const properties = asTable(error.parentSchema?.['properties'])
  const property = asTable(Object.hasOwn(properties, key) ? properties[key] : undefined)
  if (Array.isArray(property['enum'])) return { subject: 'missing', key, expected: oneOf(property['enum']) }
  const type = property['type']
  return { subject: 'missing', key, expected: type === undefined ? 'a value' : typeWords(type) }
}

function expectation(keyword: string, params: Record<string, unknown>): string | null {
  const limit = String(params['limit'])
  switch (keyword) {
    case 'type':
      return typeWords(params['type'])
    case 'enum':
      return oneOf(params['allowedValues'])
    case 'const':
      return JSON.stringify(params['allowedValue'])
    case 'minimum':
      return `at least ${limit}`
    case 'maximum':
      return `at most ${limit}`
    case 'exclusiveMinimum':
      return `more than ${limit}`
    case 'exclusiveMaximum':
      return `less than ${limit}`
    case 'multipleOf':
      return `a multiple of ${String(params['multipleOf'])}`
    case 'pattern':
      return `text that matches ${quoteText(String(params['pattern']))}`
    case 'anyOf':
    case 'oneOf':
      return Array.isArray(params['passingSchemas'])
        ? 'a value of exactly one of the shapes that its schema allows (it fits several)'
        : 'one of the shapes that its schema allows'
    default:
      return counted(keyword, params, limit)
  }
}

function counted(keyword: string, params: Record<string, unknown>, limit: string): string | null {
  switch (keyword) {
    case 'minLength':
      return `at least ${limit} characters`
    case 'maxLength':
      return `at most ${limit} characters`
    case 'minItems':
      return `at least ${limit} entries`
    case 'maxItems':
    case 'items':
    case 'additionalItems':
    case 'unevaluatedItems':
      return `at most ${limit === 'undefined' ? String(params['len']) : limit} entries`
    case 'minProperties':
      return `at least ${limit} keys`
    case 'maxProperties':
      return `at most ${limit} keys`
    case 'uniqueItems':
      return `entries that differ (${Number(params['j']) + 1} and ${Number(params['i']) + 1} are the same)`
    default:
      return null
  }
}

function typeWords(type: unknown): string {
  const words: Readonly<Record<string, string>> = {
    object: 'a map of keys',
    array: 'a list',
    boolean: 'true or false',
    integer: 'a whole number',
    number: 'a number',
    string: 'text',
    null: 'null',
  }
  const types: unknown[] = Array.isArray(type) ? type : [type]
  return types.map((name) => words[String(name)] ?? String(name)).join(' or ')
}

function oneOf(values: unknown): string {
  return `one of ${(Array.isArray(values) ? values : [values]).map((value) => JSON.stringify(value)).join(', ')}`
}

/** The steps of a JSON Pointer (RFC 6901). */
function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function shortJson(value: unknown): string | null {
  if (value === undefined) return null
  const json = JSON.stringify(value)
  return json.length > MAX_DEFAULT_CHARS ? null : json
}

function asTable(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
