import { channel } from 'node:diagnostics_channel'
import { registerHooks } from 'node:module'

const MESSAGE =
  'Cannot make code from a string: this plugin may not. If it must, set eval = true under [runtime] in its plugin.toml'
/** `code` of what it throws. */
export const EVAL_DENIED = 'ERR_EVAL_DENIED'
/** Told of each attempt, also of one whose error is caught. */
export const EVAL_CHANNEL = 'phantom:eval'
const attempts = channel(EVAL_CHANNEL)
const VM = new Set(['vm', 'node:vm'])

/**
 * Closes the ways from text to code: `eval`, the four function constructors, `node:vm` and `data:` imports. V8's own
 * flag (`--disallow-code-generation-from-strings`) leaves the last two open and makes Node's built-in code cache
 * unusable, which costs 7 ms of every start (measured: 39.1 against 31.9).
 *
 * It keeps libraries and careless authors from it; what holds a hostile plugin is the sandbox.
 */
export function forbidEval(): void {
  replaceGlobal('eval', refuse)
  const prototypes = [async () => {}, function* () {}, async function* () {}].map(
    (sample) => Object.getPrototypeOf(sample) as object,
  )
  for (const prototype of [Function.prototype, ...prototypes]) closeConstructor(prototype)
  replaceGlobal('Function', Function.prototype.constructor)
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (VM.has(specifier) || specifier.startsWith('data:')) throw evalError()
      return nextResolve(specifier, context)
    },
  })
  const getBuiltinModule = process.getBuiltinModule.bind(process)
  process.getBuiltinModule = (id: string) => (VM.has(id) ? refuse() : getBuiltinModule(id))
}

/** Stands in for a constructor: what was made before stays its instance. */
function closeConstructor(prototype: object): void {
  const closed = function () {
    refuse()
  }
  Object.defineProperty(closed, 'prototype', { value: prototype, writable: false })
  Object.defineProperty(prototype, 'constructor', { value: closed, writable: false, configurable: false })
}

function replaceGlobal(name: 'eval' | 'Function', value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: false, configurable: false })
}

function refuse(): never {
  throw evalError()
}

function evalError(): EvalError {
  if (attempts.hasSubscribers) attempts.publish(null)
  return Object.assign(new EvalError(MESSAGE), { code: EVAL_DENIED })
}
