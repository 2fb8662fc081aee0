import { ANALYZE_OPERATIONS } from './analyze-operations.ts'
import { FILTER_OPERATIONS } from './filter-operations.ts'
import type { Row } from './frame.ts'
import { suggestName } from './nearest-name.ts'
import type { Operation } from './operation.ts'
import { Parameters } from './parameters.ts'
import { describeValue, PipelineError, quote } from './pipeline-error.ts'
import { TRANSFORM_OPERATIONS } from './transform-operations.ts'

const OPERATIONS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  Filter: FILTER_OPERATIONS,
  Transform: TRANSFORM_OPERATIONS,
  Analyze: ANALYZE_OPERATIONS,
}
const INPUT_KEYS = ['data', 'pipeline']
const STEP_KEYS = ['operation_type', 'operation_name', 'parameters']

export interface PreparedPipeline {
  readonly rows: readonly Row[]
  readonly steps: readonly PreparedStep[]
}

export interface PreparedStep {
  readonly operationType: string
  readonly operationName: string
  /** `pipeline[1] "Transform/normalize"`, for messages. */
  readonly title: string
  readonly run: ReturnType<Operation['prepare']>
}

/** Checks the whole input but for what only the data can tell, so that no step runs of a pipeline that can't end. */
export function parsePipeline(input: unknown): PreparedPipeline {
  const { data, pipeline } = parseObject(input, 'the input', INPUT_KEYS)
  const rows = parseArray(data, 'data', 'rows')
  const steps = parseArray(pipeline, 'pipeline', 'steps').map(parseStep)
  rows.forEach((row, index) => {
    if (!isObject(row)) throw notA('an object of field names and values', `data[${index}]`, row)
  })
  return { rows: rows as Row[], steps }
}

function parseStep(value: unknown, index: number): PreparedStep {
  const path = `pipeline[${index}]`
  const step = parseObject(value, path, STEP_KEYS)
  const type = parseName(
    step.operation_type,
    `${path}.operation_type`,
    Object.keys(OPERATIONS),
    'the data processor',
  )
  const operations = OPERATIONS[type]!
  const name = parseName(step.operation_name, `${path}.operation_name`, Object.keys(operations), type)
  const operation = operations[name]!
  if (!isObject(step.parameters)) throw notA('an object', `${path}.parameters`, step.parameters)
  const parameters = new Parameters(step.parameters, `${path}.parameters`, `${type}/${name}`)
  parameters.refuseOthers(operation.parameters)
  return {
    operationType: type,
    operationName: name,
    title: `${path} "${type}/${name}"`,
    run: operation.prepare(parameters),
  }
}

function parseName(value: unknown, path: string, known: readonly string[], owner: string): string {
  if (typeof value !== 'string') throw notA(`one of ${known.map(quote).join(', ')}`, path, value)
  if (known.includes(value)) return value
  const home = Object.keys(OPERATIONS).find((type) => Object.hasOwn(OPERATIONS[type]!, value))
  const hint = home === undefined ? suggestName(value, known) : `It belongs to operation_type ${quote(home)}`
  const kind = path.slice(path.lastIndexOf('.') + 1)
  throw new PipelineError(`Cannot read ${path} ${quote(value)}: ${owner} has no such ${kind}. ${hint}`)
}

function parseObject(value: unknown, path: string, keys: readonly string[]): Record<string, unknown> {
  if (!isObject(value)) throw notA(`an object with ${keys.join(', ')}`, path, value)
  const stranger = Object.keys(value).find((key) => !keys.includes(key))
  if (stranger === undefined) return value
  throw new PipelineError(
    `Cannot read ${path}: it has an unknown key ${quote(stranger)}. ${suggestName(stranger, keys)}`,
  )
}

function parseArray(value: unknown, path: string, what: string): unknown[] {
  if (!Array.isArray(value)) throw notA(`an array of ${what}`, path, value)
  return value
}

function notA(needed: string, path: string, found: unknown): PipelineError {
  return new PipelineError(`Cannot read ${path}: it is ${describeValue(found)}. Give ${needed}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
