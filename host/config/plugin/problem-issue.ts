import { nearestName } from '../../../src/contract/manifest/nearest-name.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import { quoteText } from '../../../src/contract/quote-text.ts'
import type { ValueProblem } from '../../validation/value-problems.ts'
import { COMMON_KEYS } from './common-keys.ts'
import { describeValue } from './describe-value.ts'
import type { LayeredConfig } from './layered-config.ts'
import { referencePaths } from './secret-reference.ts'

const MAX_LISTED_KEYS = 12

/**
 * What a check by the schema found, as issues of the file. What a referred secret is cannot be known here, so of
 * texts with references only the type counts.
 */
export function toConfigIssues(problems: readonly ValueProblem[], layers: LayeredConfig): ManifestIssue[] {
  return problems
    .filter((problem) => !isUndecided(problem, layers))
    .map((problem) => toIssue(problem, layers))
}

/** The same once the secrets are in, whose values were checked and must not be told. */
export function toResolvedIssues(problems: readonly ValueProblem[], layers: LayeredConfig): ManifestIssue[] {
  return problems.map((problem) => toIssue(problem, layers))
}

function isUndecided({ keyword, path, scope, subject }: ValueProblem, layers: LayeredConfig): boolean {
  const isOwn = scope.length === path.length
  if (isOwn && (keyword === 'type' || subject !== 'value')) return false
  return referencePaths(layers.valueAt(scope)).length > 0
}

function toIssue(problem: ValueProblem, layers: LayeredConfig): ManifestIssue {
  const { path, subject } = problem
  const field = layers.fieldOf(path)
  const name = field.includes('"') ? field : quoteText(field)
  return {
    ...layers.placeOf(path, subject === 'key' ? 'key' : 'value'),
    field,
    severity: 'error',
    message: `Cannot use ${field === '' ? 'the configuration' : name}: ${inWords(problem, layers)}`,
  }
}

function inWords(problem: ValueProblem, layers: LayeredConfig): string {
  const { path, subject, expected } = problem
  if (subject === 'key') return unknownKey(problem)
  if (subject === 'missing') {
    const key = path.at(-1) ?? ''
    return `it is missing, expected ${expected}. Write "${key}: …"${path.length > 1 ? ' there' : ' into the file'}`
  }
  const value = layers.valueAt(path)
  return `found ${describeValue(value, path)}, expected ${expected}. ${remedy(problem, value)}`
}

function remedy({ keyword, defaultJson }: ValueProblem, value: unknown): string {
  if (keyword === 'type' && referencePaths(value).length > 0 && typeof value === 'string') {
    return 'A reference gives text: write the value itself'
  }
  return defaultJson === null ? 'Change it' : `Change it, or remove it: the default is ${defaultJson}`
}

function unknownKey({ path, expected, known }: ValueProblem): string {
  const names = path.length === 1 ? [...known, ...COMMON_KEYS, 'environments'] : known
  const near = nearestName(path.at(-1) ?? '', names)
  if (near !== null) return `${expected}. Did you mean "${near}"?`
  if (known.length === 0) return `${expected}. Remove it`
  const listed = known
    .slice(0, MAX_LISTED_KEYS)
    .map((name) => quoteText(name))
    .join(', ')
  return `${expected}. Remove it, or use one of ${listed}${known.length > MAX_LISTED_KEYS ? ', …' : ''}`
}
