import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WireError } from '../src/contract/phantom-error.ts'
import { locateSyntaxError } from './javascript/locate-syntax-error.ts'
import { readText, runnerError, textOf, toRunnerError } from './runner-error.ts'
import { StartRefused } from './start-refused.ts'

const MAX_STACK_CHARS = 16 * 1024

/** Says why a plugin did not start: its own words, behind the file and line they come from where that is known. */
export function startFailure(error: unknown, entry: string): WireError {
  if (error instanceof StartRefused)
    return runnerError('fault', error.message, { name: error.name, message: error.message })
  const wire = toRunnerError(error)
  const place = placeOf(error, dirname(entry))
  const name = readText(error, 'name', 64)
  const kind = name === null || name === 'Error' ? '' : `${name}: `
  const advice = adviceFor(error)
  const message = `${place === null ? '' : `${place}: `}${kind}${wire.data?.name === 'access_denied' ? wire.message : textOf(error)}${advice}`
  return { ...wire, message: message.slice(0, MAX_STACK_CHARS) }
}

/** `file:line` of the plugin's own code, relative to its entry point's folder. */
function placeOf(error: unknown, folder: string): string | null {
  const stack = readText(error, 'stack', MAX_STACK_CHARS) ?? ''
  const place =
    placeAbove(stack) ??
    (readText(error, 'name', 64) === 'SyntaxError' ? locateSyntaxError() : null) ??
    placeInFrames(stack)
  if (place === null) return null
  const file = place.file.startsWith('file:') ? fileURLToPath(place.file) : place.file
  const inFolder = relative(folder, file)
  const shown = inFolder.startsWith('..') ? file : inFolder
  return place.line === null ? shown : `${shown}:${place.line}`
}

/** Node puts `/path/file.cjs:3` above the stack of an error that a parser found. */
function placeAbove(stack: string): { file: string; line: number | null } | null {
  const found = /^((?:file:\/\/)?\/.+):(\d+)$/m.exec(
    stack.slice(0, stack.indexOf('\n') + 1 || undefined).trimEnd(),
  )
  return found === null ? null : { file: found[1]!, line: Number(found[2]) }
}

function placeInFrames(stack: string): { file: string; line: number | null } | null {
  const own = process.argv[1] ?? ''
  for (const [, file, line] of stack.matchAll(/^ +at .*?\(?((?:file:\/\/)?\/[^\n]+?):(\d+):\d+\)?$/gm)) {
    if (file !== own && !file!.endsWith('/sdk.mjs')) return { file: file!, line: Number(line) }
  }
  return null
}

function adviceFor(error: unknown): string {
  const code = readText(error, 'code', 64)
  if (code === 'ERR_MODULE_NOT_FOUND' && textOf(error).startsWith('Cannot find package')) {
    return '. Bundle it into the plugin: nothing is installed for a plugin, and it imports from its own folder alone'
  }
  return ''
}
