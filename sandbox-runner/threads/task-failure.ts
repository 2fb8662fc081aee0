import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { readText, readValue, textOf } from '../runner-error.ts'
import type { TaskFailure } from './thread-messages.ts'

const FACTS = ['code', 'syscall', 'path', 'permission', 'resource', 'hostname', 'address'] as const
const MAX_FACT_CHARS = 4096
const MAX_CAUSES = 8

/** Makes data of whatever a task threw. Never throws itself. */
export function toTaskFailure(thrown: unknown, depth = 0): TaskFailure {
  const cause = readValue(thrown, 'cause')
  const stack = readText(thrown, 'stack', MAX_PLUGIN_TEXT_CHARS)
  // Of a DOMException that ended a thread Node hands over the stack alone.
  const words = readText(thrown, 'message', 1) === '' ? stack?.split('\n')[0] : undefined
  return {
    name: readText(thrown, 'name', 128) ?? 'Error',
    message: words ?? textOf(thrown),
    stack,
    facts: Object.fromEntries(
      FACTS.flatMap((fact) => {
        const text = readText(thrown, fact, MAX_FACT_CHARS)
        return text === null ? [] : [[fact, text]]
      }),
    ),
    cause: cause === undefined || depth >= MAX_CAUSES ? null : toTaskFailure(cause, depth + 1),
  }
}

/** The error that the plugin catches: in the task's own words, behind which item it was. */
export function toTaskError(failure: TaskFailure, place: string | null): Error {
  const { name, message, stack, facts, cause } = failure
  const error = new Error(place === null ? message : `${place}: ${message}`, {
    cause: cause === null ? undefined : toTaskError(cause, null),
  })
  const own = { name, ...facts, ...(stack === null ? {} : { stack }) }
  for (const [key, value] of Object.entries(own))
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: key in facts })
  return error
}
