/**
 * Runs in a worker thread of the daemon, which ends it when it takes too long. Everything about a schema from a
 * manifest that costs time happens here: walking it, compiling it, running what was compiled.
 */
import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js'
import standalone from 'ajv/dist/standalone/index.js'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { parseSchema, SchemaRefused } from './assert-bounded-schema.ts'
import type { SchemaOutcome, SchemaTask } from './schema-task.ts'
import { toValueProblems } from './value-problems.ts'
import { wrapValidator } from './wrap-validator.ts'

const MAX_CODE_CHARS = 4 * 1024 * 1024
const MAX_DEFAULTS_CHARS = 1024 * 1024
const MAX_FIELDS = 20
/** Each kind of value once: a schema that refers to itself without end, or grows its defaults, fails here. */
const SAMPLES: readonly (() => unknown)[] = [() => ({}), () => [], () => '', () => 0, () => null, () => true]

const OPTIONS: Options = {
  useDefaults: true,
  // Unknown keywords and defaults that would be ignored are errors; the rest of strictness is a matter of taste.
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  // `format` is refused by the manifest: ajv alone knows none.
  validateFormats: false,
  // `required: ["constructor"]` must not be met by the prototype.
  ownProperties: true,
  // Each `$ref` becomes a call: a large definition used a thousand times must not be copied a thousand times.
  inlineRefs: false,
  logger: false,
}

export default function runSchemaTask(task: SchemaTask): SchemaOutcome {
  try {
    switch (task.kind) {
      case 'warm_up':
        return { kind: 'warm' }
      case 'compile_input':
        return compileInput(task.schemaJson)
      case 'config_defaults':
        return configDefaults(task.schemaJson)
      case 'check_config':
        return checkConfig(task.schemaJson, task.valueJson)
    }
  } catch (error) {
    return { kind: 'schema_refused', reason: inWords(error) }
  }
}

function compileInput(schemaJson: string): SchemaOutcome {
  const ajv = new Ajv2020({ ...OPTIONS, code: { source: true } })
  const validate = ajv.compile(parseSchema(schemaJson))
  assertEnds(validate)
  const source = wrapValidator(toStandaloneCode(ajv, validate))
  if (source.length > MAX_CODE_CHARS) {
    throw new SchemaRefused(`its validator would have ${source.length} characters, at most ${MAX_CODE_CHARS}`)
  }
  return { kind: 'module', source }
}

function configDefaults(schemaJson: string): SchemaOutcome {
  const validate = new Ajv2020({ ...OPTIONS, allErrors: true }).compile(parseSchema(schemaJson))
  const defaults: Record<string, unknown> = {}
  if (!validate(defaults)) return refuseDefaults(validate.errors ?? [])
  const json = JSON.stringify(defaults)
  if (json.length > MAX_DEFAULTS_CHARS) {
    throw new SchemaRefused(`its defaults have ${json.length} characters, at most ${MAX_DEFAULTS_CHARS}`)
  }
  return { kind: 'defaults', json }
}

/** `verbose` gives each error its schema: the known keys and the default beside what is wrong. */
function checkConfig(schemaJson: string, valueJson: string): SchemaOutcome {
  const validate = new Ajv2020({ ...OPTIONS, allErrors: true, verbose: true }).compile(
    parseSchema(schemaJson),
  )
  const value: unknown = JSON.parse(valueJson)
  const problems = validate(value) ? [] : toValueProblems(validate.errors ?? [])
  const json = JSON.stringify(value)
  if (json.length - valueJson.length > MAX_DEFAULTS_CHARS) {
    throw new SchemaRefused(`its defaults add more than ${MAX_DEFAULTS_CHARS} characters to a configuration`)
  }
  return { kind: 'config_checked', json, problems }
}

function refuseDefaults(errors: readonly ErrorObject[]): SchemaOutcome {
  const missing = errors.filter((error) => error.keyword === 'required').map(fieldOf)
  if (missing.length > 0) {
    const fields = [...new Set(missing)].slice(0, MAX_FIELDS)
    const reason = `no value and no default for ${fields.map((field) => `"${field}"`).join(', ')}`
    return { kind: 'defaults_refused', reason, fields }
  }
  const fields = [...new Set(errors.map(fieldOf))].slice(0, MAX_FIELDS)
  const reason = errors
    .slice(0, MAX_FIELDS)
    .map((error) => `"${fieldOf(error)}" ${error.message ?? 'does not fit'}`)
  return { kind: 'defaults_refused', reason: [...new Set(reason)].join(', '), fields }
}

/** Dotted: `database.port`. */
function fieldOf(error: ErrorObject): string {
  const missing: unknown = (error.params as { missingProperty?: unknown }).missingProperty
  const path = error.instancePath.split('/').slice(1)
  return [...path, ...(typeof missing === 'string' ? [missing] : [])].join('.')
}

function assertEnds(validate: ValidateFunction): void {
  for (const makeSample of SAMPLES) validate(makeSample())
}

function toStandaloneCode(ajv: Ajv2020, validate: ValidateFunction): string {
  // CommonJS with a `default`: which of the two an import gives depends on who loads it, node or the bundle.
  const generate =
    typeof standalone === 'function' ? standalone : (standalone as { default: StandaloneCode }).default
  return generate(ajv, validate)
}

type StandaloneCode = (ajv: Ajv2020, validate: ValidateFunction) => string

function inWords(error: unknown): string {
  const message = messageOf(error)
  if (error instanceof SchemaRefused) return message
  if (error instanceof RangeError) return 'it refers to itself, or fills in its own defaults, without end'
  const unknown = /^strict mode: unknown keyword: (.*)$/s.exec(message)
  if (unknown !== null)
    return `${unknown[1]} is no keyword of JSON Schema 2020-12. Remove it or correct its name`
  if (message.startsWith('strict mode: default is ignored')) {
    return `${message.slice('strict mode: '.length)} (defaults inside anyOf, oneOf, not or if have no effect). Remove it`
  }
  const broken = /^schema is invalid: (.*)$/s.exec(message)?.[1]
  if (broken !== undefined)
    return `it is no JSON Schema 2020-12: ${broken.replaceAll('data/', '')}. Mend it there`
  return message.replace(/^strict mode: /, '')
}
