import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { lastLoadedModule } from './plugin-modules.ts'

/**
 * Where an ES module does not parse. Node keeps that from everybody but its own fatal-error printer
 * (v26: an `import()` rejects with the parser's words and no place), so the file is read once more by the parser
 * of its type stripper, which knows all of JavaScript and says where.
 */
export function locateSyntaxError(): { file: string; line: number | null } | null {
  const url = lastLoadedModule()
  if (url === null || !url.startsWith('file:')) return null
  const file = fileURLToPath(url)
  try {
    // Its "experimental" warning would stand in the plugin's log.
    process.removeAllListeners('warning')
    stripTypeScriptTypes(readFileSync(file, 'utf8'))
    return { file, line: null }
  } catch (error) {
    const found = /^\s*[^\n]*:(\d+)$/m.exec(error instanceof Error ? (error.stack ?? '') : '')
    return { file, line: found === null ? null : Number(found[1]) }
  }
}
