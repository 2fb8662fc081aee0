/** The name that a new plugin is given: an id as plugin.toml has it. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../client/package-root.ts'
import { isPluginId } from '../../contract/manifest/parse-identity.ts'
import { PhantomError } from '../../contract/phantom-error.ts'
import { quoteText } from '../../contract/quote-text.ts'

const MAX_ID_CHARS = 64
const FALLBACK = 'my_plugin'

/** @throws PhantomError PARAMS_INVALID for what is no id, or one that a built-in plugin has */
export function assertFreeName(name: string): void {
  if (!isPluginId(name)) {
    const found = 'an id is a small letter, then at most 63 small letters, digits or "_"'
    throw refused(name, `${found}. Try: phantom new ${nearestId(name)}`)
  }
  if (existsSync(path.join(packageRoot(), 'plugins', name))) {
    throw refused(name, `a built-in plugin has that id, and goes before yours. Try: phantom new my_${name}`)
  }
}

/** `My-Plugin` → `my_plugin`. */
function nearestId(name: string): string {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^[^a-z]+|_+$/g, '')
  return words.slice(0, MAX_ID_CHARS).replace(/_+$/, '') || FALLBACK
}

/** `my_plugin` → `My Plugin`. */
export function displayName(id: string): string {
  const words = id.split('_').filter((word) => word !== '')
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ')
}

function refused(name: string, found: string): PhantomError {
  return new PhantomError('PARAMS_INVALID', `Cannot name a plugin ${quoteText(name)}: ${found}`, {
    details: { name },
  })
}
