import { quoteText } from '../../../src/contract/quote-text.ts'
import { hasReference, referencesIn } from './secret-reference.ts'
import { isTree } from './merge-config.ts'

/** Keys whose values are not shown, even where somebody wrote the secret itself instead of a reference. */
const SECRET_KEY =
  /secret|token|passw|passphrase|credential|(api|private|access|signing|encryption)[_-]?key|^key$|^auth$/i

/** What was found at a place, in a few words that are fit for every eye. */
export function describeValue(value: unknown, path: readonly string[]): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value))
    return value.length === 1 ? 'a list of 1 entry' : `a list of ${value.length} entries`
  if (isTree(value)) return 'a map of keys'
  if (typeof value === 'string' && hasReference(value)) {
    return `text with ${
      referencesIn(value)
        .map(({ text }) => text)
        .join(', ') || 'a reference'
    }`
  }
  if (typeof value === 'string' && path.some((key) => SECRET_KEY.test(key))) {
    return `text of ${value.length} characters`
  }
  return typeof value === 'string' ? quoteText(value) : JSON.stringify(value)
}
