/** Keys of a configuration as they are typed and as messages name them: `limits.rows`, `servers[0].host`, `"a.b".c`. */
import { fieldName } from '../contract/manifest/key-locator.ts'
import { nearestName } from '../contract/manifest/nearest-name.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import { quoteText } from '../contract/quote-text.ts'

const STEP = /\[(\d{1,9})\]|(?:^|(?<=.)\.)(?:("(?:[^"\\]|\\.)*")|([^."[\]\s]+))/y
/** The first `=` that does not stand in quotes ends the key. */
const ASSIGNMENT = /^((?:"(?:[^"\\]|\\.)*"|[^="])+)=(.*)$/s

export type Changes = Record<string, unknown>
type Step = string | number

/**
 * What `config set` merges: dotted keys become objects inside one another, a key that is unset becomes null.
 *
 * @throws PhantomError PARAMS_INVALID
 */
export function parseChanges(assignments: readonly string[], unset: readonly string[]): Changes {
  const changes: Changes = {}
  for (const assignment of assignments) {
    const [, key, text] = ASSIGNMENT.exec(assignment) ?? []
    if (key === undefined || text === undefined) {
      throw usage(`Cannot set ${quoteText(assignment)}: found no "=". Write KEY=VALUE, batch_size=50`)
    }
    put(changes, key, parseValue(text))
  }
  for (const key of unset) put(changes, key, null)
  if (Object.keys(changes).length > 0) return changes
  throw usage('Cannot change the configuration: no key is named. Write KEY=VALUE, or --unset KEY')
}

/** JSON where it is JSON, text where it is not: `50`, `true`, `["a"]`, `hello`. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Text is what most people mean by what is no JSON.
    return text
  }
}

function put(changes: Changes, key: string, value: unknown): void {
  const steps = parseKey(key)
  let at = changes
  for (const [depth, step] of steps.entries()) {
    if (typeof step === 'number') {
      throw usage(
        `Cannot set ${quoteText(key)}: entries of a list are not set alone. Set the whole list, as JSON`,
      )
    }
    const isLast = depth === steps.length - 1
    const known = Object.hasOwn(at, step) ? at[step] : undefined
    if (known !== undefined && (isLast || !isObject(known))) {
      const name = fieldName(steps.slice(0, depth + 1))
      throw usage(
        `Cannot set ${quoteText(key)}: "${name}" is changed already by this command. Name each key once`,
      )
    }
    const next: unknown = isLast ? value : (known ?? {})
    at[step] = next
    if (!isLast) at = next as Changes
  }
}

/** @throws PhantomError PARAMS_INVALID */
function parseKey(key: string): Step[] {
  const steps = stepsOf(key)
  if (steps === null) {
    throw usage(
      `Cannot read the key ${quoteText(key)}: expected names with dots between them. ` +
        'Write limits.rows, or "a.b".c where a name itself has a dot',
    )
  }
  // As a key it would change the object's kind instead of its content; the daemon refuses it as well.
  if (steps.includes('__proto__')) throw usage('Cannot use the key "__proto__": no configuration may have it')
  return steps
}

/** Null where the text is no key. */
export function stepsOf(key: string): Step[] | null {
  const steps: Step[] = []
  STEP.lastIndex = 0
  while (STEP.lastIndex < key.length) {
    const [, index, quoted, bare] = STEP.exec(key) ?? []
    if (index !== undefined) steps.push(Number(index))
    else if (quoted !== undefined) steps.push(unquote(quoted))
    else if (bare !== undefined) steps.push(bare)
    else return null
  }
  return steps.length === 0 ? null : steps
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    // An escape that JSON does not know stands for itself.
    return quoted.slice(1, -1)
  }
}

/** @throws PhantomError PARAMS_INVALID, with exit code 3 */
export function valueAt(config: Readonly<Record<string, unknown>>, key: string, pluginId: string): unknown {
  let at: unknown = config
  for (const step of parseKey(key)) {
    if ((isObject(at) || Array.isArray(at)) && Object.hasOwn(at, step)) {
      at = (at as Record<Step, unknown>)[step]
      continue
    }
    const nearest = nearestName(key, Object.keys(leavesOf(config)))
    throw new PhantomError(
      'PARAMS_INVALID',
      `Cannot get ${quoteText(key)} of "${pluginId}": its configuration has no such key. ` +
        `"phantom config get ${pluginId}" shows all of them`,
      { details: { missing_key: key, ...(nearest === null ? {} : { nearest }) } },
    )
  }
  return at
}

/** Every value that is no object, by the name that the daemon's origins and messages give it. */
export function leavesOf(config: Readonly<Record<string, unknown>>, above: readonly Step[] = []): Changes {
  const leaves: [string, unknown][] = Object.entries(config).flatMap(([key, value]) => {
    const path = [...above, /^\d{1,9}$/.test(key) ? Number(key) : key]
    if (isObject(value) && Object.keys(value).length > 0) return Object.entries(leavesOf(value, path))
    return [[fieldName(path), value]]
  })
  return Object.fromEntries(leaves)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function usage(message: string): PhantomError {
  return new PhantomError('PARAMS_INVALID', message)
}
