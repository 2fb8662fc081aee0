import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { lastLoadedModule } from './plugin-modules.ts'

export interface ErrorPlace {
  readonly file: string
  readonly line: number
}

/**
 * Where the module that was read last does not parse; null where it does. Node keeps that from everybody but its
 * own fatal-error printer (v26: an `import()` of an ES module rejects with the parser's words and no place), so
 * the file is read once more by the parser of its type stripper, which knows all of JavaScript and says where.
 */
export function locateSyntaxError(): ErrorPlace | null {
  const url = lastLoadedModule()
  if (url === null || !url.startsWith('file:')) return null
  const file = fileURLToPath(url)
  try {
    // Its "experimental" warning would stand in the plugin's log; the process has nothing left to do but to end.
    process.removeAllListeners('warning')
    stripTypeScriptTypes(readFileSync(file, 'utf8'))
    return null
  } catch (error) {
    const [, line] = /^[^\n]*:(\d+)$/m.exec(error instanceof Error ? (error.stack ?? '') : '') ?? []
    return line === undefined ? null : { file, line: Number(line) }
  }
}
