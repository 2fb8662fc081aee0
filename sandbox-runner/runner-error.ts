import { resolve } from 'node:path'
import { MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import { messageOf, type ErrorDetails, type WireError } from '../src/contract/phantom-error.ts'
import { targetOf } from './asked-hosts.ts'
import { EVAL_DENIED } from './forbid-eval.ts'
import { quoteText } from '../src/contract/quote-text.ts'
import { RUNNER_ERRORS, type RunnerErrorName } from '../src/contract/runner-methods.ts'

const MAX_NAME_CHARS = 128
const MAX_PATH_CHARS = 4096
/** Of the chain of causes: `fetch` wraps what was refused. */
const MAX_CAUSES = 8

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

/** @param measured in bytes; null where it is not known */
export function tooLarge(size: string, limit: number, measured: number | null): WireError {
  return runnerError(
    'payload_too_large',
    `Cannot return the result: it is ${size} of JSON, at most ${limit} bytes are allowed`,
    {
      limit,
      measured,
    },
  )
}

/** Makes wire data of whatever plugin code threw. Never throws itself, whatever its getters do. */
export function toRunnerError(thrown: unknown): WireError {
  const code = readText(thrown, 'code', MAX_NAME_CHARS)
  const name = readText(thrown, 'name', MAX_NAME_CHARS) ?? typeof thrown
  const message = textOf(thrown)
  const denied = deniedIn(thrown)
  if (denied !== null) return denied
  if (isOutOfMemory(name, code, message)) return runnerError('out_of_memory', message, { name, message })
  const details: Record<string, string> = { name, message }
  if (code !== null) details['code'] = code
  const path = readText(thrown, 'path', MAX_PATH_CHARS)
  if (path !== null) details['path'] = path
  const syscall = readText(thrown, 'syscall', MAX_NAME_CHARS)
  if (syscall !== null) details['syscall'] = syscall
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
  const value = readValue(thrown, key)
  return typeof value === 'string' ? value.slice(0, maxChars) : null
}

export function readValue(thrown: unknown, key: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined
  try {
    return Reflect.get(thrown, key)
  } catch {
    // A getter or a proxy of the plugin's threw: what it would have said is not known.
    return undefined
  }
}

/** What the sandbox refused, wherever in the chain of causes it stands; null where it refused nothing. */
function deniedIn(thrown: unknown): WireError | null {
  let at = thrown
  for (let depth = 0; depth < MAX_CAUSES && at !== undefined; depth += 1) {
    const code = readText(at, 'code', MAX_NAME_CHARS)
    const permission = code === null ? null : permissionOf(at, code)
    if (permission !== null) return accessDenied(at, { code: code!, permission })
    at = causeOf(at)
  }
  return null
}

function permissionOf(thrown: unknown, code: string): string | null {
  if (code === 'ERR_ACCESS_DENIED') {
    // Those of the network say where in words of their own; some name nothing, and no permission allows those.
    const named = readText(thrown, 'permission', MAX_NAME_CHARS)
    if (named !== null && named !== '') return named
    if (networkTarget(thrown) !== null) return 'Net'
    return textOf(thrown).startsWith('fs.symlink') ? 'FileSystem' : null
  }
  if (code === 'ERR_DLOPEN_DISABLED') return 'Addon'
  if (code === EVAL_DENIED) return 'Eval'
  if (code !== 'ERR_UNKNOWN_BUILTIN_MODULE') return null
  // Node's flags take these modules away altogether.
  return BUILTIN_PERMISSIONS.find(([name]) => textOf(thrown).endsWith(name))?.[1] ?? null
}

/** What a module that is loaded needs of `[runtime]`, by the name it is asked for; null where it needs nothing. */
export function permissionOfModule(specifier: string): string | null {
  if (specifier.endsWith('.node')) return 'Addon'
  return BUILTIN_PERMISSIONS.find(([name]) => specifier === name)?.[1] ?? null
}

const BUILTIN_PERMISSIONS = [
  ['node:sqlite', 'Sqlite'],
  ['node:ffi', 'FFI'],
] as const

function networkTarget(thrown: unknown): string | null {
  return readText(thrown, 'hostname', MAX_NAME_CHARS) ?? readText(thrown, 'address', MAX_NAME_CHARS)
}

function causeOf(thrown: unknown): unknown {
  return readValue(thrown, 'cause')
}

function accessDenied(
  thrown: unknown,
  { code, permission }: { code: string; permission: string },
): WireError {
  const named = readText(thrown, 'resource', MAX_PATH_CHARS) ?? networkTarget(thrown) ?? ''
  const port = portOf(thrown)
  const isNamed = permission !== 'Net' || port.port !== undefined
  const resource = isNamed ? fullResource(permission, named) : targetOf(named)
  const what = resource === '' ? permission : quoteText(resource)
  // Node's own message names a flag that nobody here can set; those of other codes say more than we could.
  const message =
    code === 'ERR_ACCESS_DENIED'
      ? `Cannot access ${what}: ${permission} is not granted there`
      : textOf(thrown)
  return runnerError('access_denied', message, {
    permission,
    resource,
    code,
    ...port,
  })
}

function portOf(thrown: unknown): { port?: number } {
  const port = readValue(thrown, 'port')
  return typeof port === 'number' ? { port } : {}
}

/** A relative path means what it means in this process now. */
export function fullResource(permission: string, resource: string): string {
  return permission.startsWith('FileSystem') && resource !== '' ? resolve(resource) : resource
}

function isOutOfMemory(name: string, code: string | null, message: string): boolean {
  if (code !== null && MEMORY_CODES.has(code)) return true
  return (name === 'RangeError' || name === 'RuntimeError') && MEMORY_WORDS.test(message)
}
