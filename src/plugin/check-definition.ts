import { nearestName } from '../contract/manifest/nearest-name.ts'
import { quoteText } from '../contract/quote-text.ts'
import type { PluginDefinition } from './plugin-definition.ts'

const HOOKS = [
  'initialize',
  'shutdown',
  'validate_config',
  'configure',
  'quiesce',
  'resume',
  'export_state',
  'health',
  'metadata',
  'capabilities',
] as const
const PLUGIN_KEYS = ['operations', 'messages', ...HOOKS] as const
const OPERATION_KEYS = ['input_schema', 'execute'] as const

/** @throws TypeError that names the wrong key, what was found there and what was expected. */
export function checkDefinition(value: unknown): asserts value is PluginDefinition {
  if (!isObject(value)) {
    throw wrong(
      `expected an object { operations: { … } }, found ${kindOf(value)}. Write "export default definePlugin({ … })"`,
    )
  }
  rejectUnknownKeys(value, PLUGIN_KEYS, '')
  for (const hook of HOOKS) {
    const found = value[hook]
    if (found !== undefined && typeof found !== 'function') {
      throw wrong(`${hook} must be a function, found ${kindOf(found)}. Write ${hook}() { … } or leave it out`)
    }
  }
  const { operations, messages } = value
  if (!isObject(operations)) {
    throw wrong(
      `operations must be an object of functions by name, found ${kindOf(operations)}. Write operations: { my_operation(input) { … } }`,
    )
  }
  for (const [name, operation] of Object.entries(operations)) checkOperation(name, operation)
  if (messages !== undefined) checkMessages(messages)
}

function checkMessages(messages: unknown): void {
  if (!isObject(messages)) {
    throw wrong(
      `messages must be an object of functions by type, found ${kindOf(messages)}. Write messages: { my_type(payload) { … } }`,
    )
  }
  for (const [type, handler] of Object.entries(messages)) {
    if (typeof handler === 'function') continue
    throw wrong(
      `messages[${quoteText(type)}] must be a function, found ${kindOf(handler)}. Write ${type}(payload, context) { … }`,
    )
  }
}

function checkOperation(name: string, operation: unknown): void {
  if (typeof operation === 'function') return
  const place = `operations[${quoteText(name)}]`
  if (!isObject(operation)) {
    throw wrong(
      `${place} must be a function or { input_schema, execute }, found ${kindOf(operation)}. Write ${name}(input, context) { … }`,
    )
  }
  rejectUnknownKeys(operation, OPERATION_KEYS, `${place}.`)
  if (typeof operation['execute'] !== 'function') {
    throw wrong(
      `${place}.execute must be a function, found ${kindOf(operation['execute'])}. Write execute(input, context) { … }`,
    )
  }
  const schema = operation['input_schema']
  if (schema !== undefined && !isObject(schema)) {
    throw wrong(
      `${place}.input_schema must be a JSON Schema object, found ${kindOf(schema)}. Write { type: 'object', … } or leave it out`,
    )
  }
}

function rejectUnknownKeys(value: Record<string, unknown>, known: readonly string[], place: string): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const nearest = nearestName(key, known)
    const remedy = nearest === null ? `Known are ${known.join(', ')}` : `Did you mean "${nearest}"?`
    throw wrong(`${place}${quoteText(key)} is not known here. ${remedy}`)
  }
}

function wrong(problem: string): TypeError {
  return new TypeError(`Cannot define plugin: ${problem}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'undefined' ? 'nothing' : `a value of type ${typeof value}`
}
