import { nearestName } from '../src/contract/manifest/nearest-name.ts'
import { quoteText } from '../src/contract/quote-text.ts'
import type { RunnerOperation } from '../src/contract/runner-methods.ts'
import { StartRefused } from './start-refused.ts'

/** @throws StartRefused where plugin.toml, which is what users were shown, promises what the code does not have */
export function rejectMissing(
  known: readonly string[],
  declared: readonly RunnerOperation[],
  key: 'operations' | 'messages' = 'operations',
): void {
  const missing = declared.filter(({ name }) => !known.includes(name))
  if (missing.length === 0) return
  const words = missing.map(({ name }) => {
    const nearest = nearestName(name, known)
    return nearest === null ? quoteText(name) : `${quoteText(name)} (did you mean ${quoteText(nearest)}?)`
  })
  throw new StartRefused(
    `plugin.toml declares ${key} that the code lacks: ${words.join(', ')}. ` +
      `The code has ${known.map(quoteText).join(', ') || 'none'}. Add them to ${key}, or take them out of plugin.toml`,
  )
}

/** Where plugin.toml declares operations, those that only the code has can't be called. */
export function undeclaredNotice(name: string): string {
  return `The operation ${quoteText(name)} cannot be called: plugin.toml declares others and not this one. Add [[operations]] with name = ${quoteText(name)}`
}

export function undeclaredMessageNotice(type: string): string {
  return `The message ${quoteText(type)} never comes: plugin.toml does not declare it. Add [[messages]] with type = ${quoteText(type)}`
}
