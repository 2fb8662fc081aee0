import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import type { WireError } from '../src/contract/phantom-error.ts'
import { locateSyntaxError, type ErrorPlace } from './javascript/locate-syntax-error.ts'
import { readText, runnerError, textOf, toRunnerError } from './runner-error.ts'
import { StartRefused } from './start-refused.ts'

const MAX_STACK_CHARS = 16 * 1024
const MAX_NAME_CHARS = 64

/** Node's codes for a module that is not there, or that it cannot make code of. */
const MODULE_CODE =
  /^(?:MODULE_NOT_FOUND|ERR_(?:MODULE|PACKAGE|UNSUPPORTED|UNKNOWN_(?:FILE|MODULE|BUILTIN)|IMPORT|REQUIRE|INVALID_(?:MODULE|PACKAGE|TYPESCRIPT))_.*)$/

/**
 * Says why a plugin did not start: its own words, behind the file and line they come from where that is known. Its
 * `deterministic` tells the host that the same files would fail the same way: they cannot be loaded, or the plugin
 * refused its configuration. What plugin code threw may have had a passing cause.
 */
export function startFailure(error: unknown, entry: string): WireError {
  if (error instanceof StartRefused) {
    const { name, message } = error
    return runnerError('fault', message, { name, message, deterministic: true })
  }
  const wire = toRunnerError(error)
  const name = readText(error, 'name', MAX_NAME_CHARS)
  const isNamed = name !== null && name !== 'Error' && wire.data?.name !== 'access_denied'
  const stack = readText(error, 'stack', MAX_STACK_CHARS) ?? ''
  const unparsed = name === 'SyntaxError' ? (placeAbove(stack) ?? locateSyntaxError()) : null
  const place = shownPlace(unparsed ?? placeAbove(stack) ?? placeInFrames(stack), dirname(entry))
  const message = `${place}${isNamed ? `${name}: ` : ''}${wire.message}${adviceFor(error)}`
  const shown = { ...wire, message: message.slice(0, MAX_PLUGIN_TEXT_CHARS) }
  if (unparsed === null && !MODULE_CODE.test(readText(error, 'code', MAX_NAME_CHARS) ?? '')) return shown
  return { ...shown, data: { ...shown.data!, details: { ...shown.data!.details, deterministic: true } } }
}

/** `file:line: `, relative to the entry point's folder; empty where it is not known. */
function shownPlace(place: ErrorPlace | null, folder: string): string {
  if (place === null) return ''
  const inFolder = relative(folder, place.file)
  return `${inFolder.startsWith('..') ? place.file : inFolder}:${place.line}: `
}

/** Node puts `/path/file.cjs:3` above the stack of most errors that a parser found. */
function placeAbove(stack: string): ErrorPlace | null {
  const [first = ''] = stack.split('\n', 1)
  const [, file, line] = /^((?:file:\/\/)?\/.+):(\d+)$/.exec(first) ?? []
  return placeOf(file, line)
}

/** The innermost frame that is the plugin's own. */
function placeInFrames(stack: string): ErrorPlace | null {
  const runner = process.argv[1] ?? ''
  for (const [, file, line] of stack.matchAll(/^ +at .*?\(?((?:file:\/\/)?\/[^\n]+?):(\d+):\d+\)?$/gm)) {
    const place = placeOf(file, line)
    if (place !== null && dirname(place.file) !== dirname(runner)) return place
  }
  return null
}

function placeOf(file: string | undefined, line: string | undefined): ErrorPlace | null {
  if (file === undefined || line === undefined) return null
  try {
    return { file: file.startsWith('file:') ? fileURLToPath(file) : file, line: Number(line) }
  } catch {
    // A stack is a text that plugin code can write: this one names no file.
    return null
  }
}

function adviceFor(error: unknown): string {
  const isPackage = textOf(error).startsWith('Cannot find package')
  if (!isPackage || readText(error, 'code', MAX_NAME_CHARS) !== 'ERR_MODULE_NOT_FOUND') return ''
  return '. Bundle it into the plugin: nothing is installed for a plugin, and it imports from its own folder alone'
}
