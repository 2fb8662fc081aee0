import type { ErrorDetails } from '../phantom-error.ts'
import { quoteText } from '../quote-text.ts'

export interface InputProblem {
  readonly message: string
  readonly details: ErrorDetails
}

/** The part of ajv's error objects that is read here. */
export interface ValidationError {
  readonly instancePath: string
  readonly schemaPath?: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
}

const MAX_FOUND_CHARS = 80
const MAX_PATH_CHARS = 200
const MAX_EXPECTED_CHARS = 400

/** Says where an input does not fit its schema, what was expected there and what was found. */
export function describeInputError(
  errors: readonly ValidationError[],
  input: unknown,
  schema: unknown,
): InputProblem {
  const error = mostTelling(errors)
  if (error === undefined) return { message: 'input: does not fit its schema', details: { path: 'input' } }
  const steps = stepsOf(error.instancePath)
  const subject = subjectOf(error, schema)
  const path = pathText(subject.step === null ? steps : [...steps, subject.step])
  const found = show(valueAt(input, steps, subject.step))
  const expected = subject.expected.slice(0, MAX_EXPECTED_CHARS)
  const behind = error.keyword === 'required' ? '' : `; found ${found}`
  return {
    message: `${path}: ${expected}${behind}`,
    details: {
      path,
      keyword: error.keyword,
      expected,
      found: error.keyword === 'required' ? 'nothing' : found,
    },
  }
}

/**
 * The first error, except where a choice (`anyOf`, `oneOf`) failed: there it is the one of the branch that got
 * furthest into the input, or the choice itself when no branch got anywhere.
 */
function mostTelling(errors: readonly ValidationError[]): ValidationError | undefined {
  const last = errors.at(-1)
  if (last === undefined || (last.keyword !== 'anyOf' && last.keyword !== 'oneOf')) return errors[0]
  const deepest = errors.reduce((best, error) => (depthOf(error) > depthOf(best) ? error : best))
  return depthOf(deepest) > depthOf(last) ? deepest : last
}

function depthOf(error: ValidationError): number {
  return stepsOf(error.instancePath).length
}

interface Subject {
  /** A member of the value at the error's place that the error is about. */
  readonly step: string | null
  readonly expected: string
}

function subjectOf({ keyword, params, message, schemaPath }: ValidationError, schema: unknown): Subject {
  switch (keyword) {
    case 'enum':
      return { step: null, expected: `must be one of ${listOf(params['allowedValues'])}` }
    case 'const':
      return { step: null, expected: `must be ${plain(params['allowedValue'])}` }
    case 'type':
      return { step: null, expected: `must be ${String(params['type']).replaceAll(',', ' or ')}` }
    case 'required':
      return { step: String(params['missingProperty']), expected: 'is missing' }
    case 'additionalProperties': {
      const known = knownProperties(schema, schemaPath)
      const words = known === null ? 'is not known here' : `is not known here (known are ${known})`
      return { step: String(params['additionalProperty']), expected: words }
    }
    case 'anyOf':
    case 'oneOf':
      return { step: null, expected: 'must fit one of the shapes that its schema allows' }
    default:
      return { step: null, expected: message ?? `must fit "${keyword}"` }
  }
}

/** Names that stand beside an `additionalProperties`; null where the schema's place cannot be followed. */
function knownProperties(schema: unknown, schemaPath = ''): string | null {
  const parent = stepsOf(schemaPath.replace(/^#/, '')).slice(0, -1)
  const properties = valueAt(schema, [...parent, 'properties'], null)
  if (typeof properties !== 'object' || properties === null) return null
  return Object.keys(properties).join(', ') || null
}

/** The steps of a JSON Pointer (RFC 6901). */
function stepsOf(pointer: string): string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function pathText(steps: readonly string[]): string {
  let text = 'input'
  for (const step of steps) {
    if (/^\d+$/.test(step)) text += `[${step}]`
    else text += /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${quoteText(step)}]`
    if (text.length > MAX_PATH_CHARS) return `${text.slice(0, MAX_PATH_CHARS)}…`
  }
  return text
}

function valueAt(root: unknown, steps: readonly string[], last: string | null): unknown {
  let value = root
  for (const step of last === null ? steps : [...steps, last]) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

function listOf(values: unknown): string {
  return Array.isArray(values) ? values.map(plain).join(', ') : plain(values)
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A value of the caller's, short: of a large one only the kind. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return quoteText(value)
  if (Array.isArray(value) && value.length > MAX_FOUND_CHARS) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null && Object.keys(value).length > MAX_FOUND_CHARS) {
    return `an object of ${Object.keys(value).length} members`
  }
  const text = JSON.stringify(value)
  return text.length > MAX_FOUND_CHARS ? `${text.slice(0, MAX_FOUND_CHARS)}…` : text
}
