import type { JsonSchema } from '../../src/contract/json-schema.ts'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { CONFIG_KEYS, type ConfigKey } from './config-keys.ts'
import { type ConfigLayer, layerProblems, MAX_SHOWN_PROBLEMS } from './config-layer.ts'
import { inWords, parseYaml, toData } from './parse-yaml.ts'

const PREFIX = 'PHANTOM_'
/** Read by other parts of the program (client, command line, sandbox); here they are only known. */
export const OTHER_VARIABLES = [
  'PHANTOM_BWRAP',
  'PHANTOM_ENVIRONMENT',
  'PHANTOM_FETCH_RUNTIME',
  'PHANTOM_PLUGINS',
  'PHANTOM_RUNTIME',
  'PHANTOM_SOCKET',
] as const

const KEYS = new Map(CONFIG_KEYS.map((key) => [key.variable, key]))

/** `PHANTOM_<SECTION>_<KEY>`, each parsed as its key wants it. Throws `CONFIG_INVALID` with all that are wrong. */
export function readVariablesLayer(variables: NodeJS.ProcessEnv): ConfigLayer {
  const sections: Record<string, Record<string, unknown>> = {}
  const origins = new Map<string, string>()
  const faults: string[] = []
  const warnings: string[] = []
  for (const variable of Object.keys(variables).toSorted()) {
    const text = variables[variable]
    const key = KEYS.get(variable)
    if (key === undefined) {
      const { fault, warning } = judgeUnknown(variable)
      if (fault !== null) faults.push(fault)
      if (warning !== null) warnings.push(warning)
    } else if (text !== undefined) {
      origins.set(key.name, variable)
      const value = parseValue(text, key.schema)
      if ('fault' in value) faults.push(`${variable}: "${key.name}" is ${value.fault}`)
      else (sections[key.section] ??= {})[key.key] = value.parsed
    }
  }
  for (const { path, message } of layerProblems(sections)) {
    faults.push(`${origins.get(path.slice(0, 2).join('.')) ?? 'PHANTOM_*'}: ${message}`)
  }
  if (faults.length > 0) throw invalid(faults.slice(0, MAX_SHOWN_PROBLEMS))
  return { sections, origins, warnings }
}

/** In a section of ours it is a mistake; elsewhere it may be anybody's, and only a near miss is worth a word. */
function judgeUnknown(variable: string): { fault: string | null; warning: string | null } {
  const none = { fault: null, warning: null }
  if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.some((other) => other === variable)) return none
  const rest = variable.slice(PREFIX.length)
  const inSection = CONFIG_KEYS.filter(({ section }) => `${rest}_`.startsWith(`${section.toUpperCase()}_`))
  const near = nearestVariable(rest, inSection.length > 0 ? inSection : CONFIG_KEYS)
  const found = `${quoteText(variable)} is no variable of the configuration`
  if (inSection.length > 0) {
    const known = inSection.map((key) => key.variable).join(', ')
    const advice = near === null ? `Unset it, or use one of ${known}` : `Did you mean "${near}"?`
    return { fault: `${found}. ${advice}`, warning: null }
  }
  return near === null
    ? none
    : { fault: null, warning: `${found} and has no effect. Did you mean "${near}"?` }
}

function nearestVariable(rest: string, keys: readonly ConfigKey[]): string | null {
  const known = [...keys.map(({ variable }) => variable), ...OTHER_VARIABLES]
  const near = nearestName(
    rest,
    known.map((variable) => variable.slice(PREFIX.length)),
  )
  return near === null ? null : `${PREFIX}${near}`
}

/** What does not read as its type stays text: the check then says what was found and what was expected. */
function parseValue(text: string, schema: JsonSchema): { parsed: unknown } | { fault: string } {
  switch (schema['type']) {
    case 'boolean':
      return { parsed: text === 'true' ? true : text === 'false' ? false : text }
    case 'integer':
    case 'number':
      return { parsed: /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text }
    case 'array':
      return parseList(text)
    default:
      return { parsed: text }
  }
}

/** `[/a, "/b, c"]` as in YAML, or `/a,/b`; nothing is the empty list. */
function parseList(text: string): { parsed: unknown } | { fault: string } {
  if (!text.trimStart().startsWith('[')) {
    return { parsed: text.trim() === '' ? [] : text.split(',').map((item) => item.trim()) }
  }
  try {
    const document = parseYaml(text)
    const [error] = document.errors
    if (error !== undefined) throw error
    return { parsed: toData(document) }
  } catch (error) {
    const why = inWords(messageOf(error))
    return { fault: `${quoteText(text)}, expected a list as in YAML: ${why}. Change it` }
  }
}

function invalid(faults: readonly string[]): PhantomError {
  const message = `Cannot use the configuration of the environment's variables:\n${faults.join('\n')}`
  return new PhantomError('CONFIG_INVALID', message, { details: { problems: faults } })
}
