import { MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import { messageOf, type ErrorDetails, type WireError } from '../src/contract/phantom-error.ts'
import { quoteText } from '../src/contract/quote-text.ts'
import { RUNNER_ERRORS, type RunnerErrorName } from '../src/contract/runner-methods.ts'

const MAX_NAME_CHARS = 128
const MAX_PATH_CHARS = 4096

/** Codes of allocations that failed; the others say it in the message of a RangeError, below. */
const MEMORY_CODES = new Set(['ERR_MEMORY_ALLOCATION_FAILED', 'ERR_WORKER_OUT_OF_MEMORY', 'ENOMEM'])
/** V8's words for ArrayBuffer and WebAssembly.Memory. */
const MEMORY_WORDS = /allocation failed|could not allocate memory|out of memory/i

export function runnerError(name: RunnerErrorName, message: string, details: ErrorDetails = {}): WireError {
  return {
    code: RUNNER_ERRORS[name],
    message: message.slice(0, MAX_PLUGIN_TEXT_CHARS),
    data: { name, details },
  }
}

/** Makes wire data of whatever plugin code threw. Never throws itself, whatever its getters do. */
export function toRunnerError(thrown: unknown): WireError {
  const code = readText(thrown, 'code', MAX_NAME_CHARS)
  const name = readText(thrown, 'name', MAX_NAME_CHARS) ?? typeof thrown
  const message = textOf(thrown)
  if (code === 'ERR_ACCESS_DENIED') return accessDenied(thrown, code)
  if (isOutOfMemory(name, code, message)) return runnerError('out_of_memory', message, { name, message })
  const details: Record<string, string> = { name, message }
  if (code !== null) details['code'] = code
  const path = readText(thrown, 'path', MAX_PATH_CHARS)
  if (path !== null) details['path'] = path
  return runnerError('fault', message, details)
}

/** The text of what was thrown, capped; the name of an Error that has none. */
export function textOf(thrown: unknown): string {
  const text = readText(thrown, 'message', MAX_PLUGIN_TEXT_CHARS) ?? messageOf(thrown)
  return (text === '' ? (readText(thrown, 'name', MAX_NAME_CHARS) ?? 'no message') : text).slice(
    0,
    MAX_PLUGIN_TEXT_CHARS,
  )
}

/** A property of a thrown value as text; null where it is none or cannot be read. */
export function readText(thrown: unknown, key: string, maxChars: number): string | null {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return null
  try {
    const value: unknown = Reflect.get(thrown, key)
    return typeof value === 'string' ? value.slice(0, maxChars) : null
  } catch {
    // A getter or a proxy of the plugin's threw: what it would have said is not known.
    return null
  }
}

/** Node's permission model refused; its own message only names a flag that nobody here can set. */
function accessDenied(thrown: unknown, code: string): WireError {
  const permission = readText(thrown, 'permission', MAX_NAME_CHARS) ?? ''
  const resource = readText(thrown, 'resource', MAX_PATH_CHARS) ?? ''
  const what = resource === '' ? permission : quoteText(resource)
  return runnerError('access_denied', `Cannot access ${what}: ${permission} is not granted there`, {
    permission,
    resource,
    code,
  })
}

function isOutOfMemory(name: string, code: string | null, message: string): boolean {
  if (code !== null && MEMORY_CODES.has(code)) return true
  return (name === 'RangeError' || name === 'RuntimeError') && MEMORY_WORDS.test(message)
}
