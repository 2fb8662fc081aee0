import { quoteText } from '../../src/contract/quote-text.ts'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { OperationHandler, PluginDefinition } from '../../src/plugin/plugin-definition.ts'
import { rejectMissing, undeclaredNotice } from '../declared-operations.ts'
import type { ValueOperation } from '../loaded-plugin.ts'
import { StartRefused } from '../start-refused.ts'
import { createInputCheck } from './input-check.ts'
import { findDifference } from './schema-difference.ts'

interface OperationInCode {
  readonly run: OperationHandler
  readonly schema: unknown
}

/**
 * The operations that may be called: those that plugin.toml declares, or, where it declares none, those of the code.
 *
 * @throws StartRefused where code and manifest do not agree: the manifest is what users were shown.
 */
export function matchOperations(
  definition: PluginDefinition,
  declared: readonly RunnerOperation[],
): { operations: Map<string, ValueOperation>; notices: string[] } {
  const inCode = readOperations(definition)
  rejectMissing([...inCode.keys()], declared)
  const declaredByName = new Map(declared.map((operation) => [operation.name, operation]))
  const operations = new Map<string, ValueOperation>()
  const notices: string[] = []
  for (const [name, { run, schema }] of inCode) {
    const operation = declaredByName.get(name)
    rejectOtherSchema(name, schema, operation)
    if (operation === undefined && declared.length > 0) {
      notices.push(undeclaredNotice(name))
      continue
    }
    const checkInput = operation === undefined ? null : createInputCheck(operation)
    operations.set(name, { takes: 'value', run, checkInput })
  }
  return { operations, notices }
}

function readOperations(definition: PluginDefinition): Map<string, OperationInCode> {
  const { operations } = definition
  return new Map(
    Object.entries(operations).map(([name, operation]) => {
      if (typeof operation === 'function')
        return [name, { run: operation.bind(operations), schema: undefined }]
      return [name, { run: operation.execute.bind(operation), schema: operation.input_schema }]
    }),
  )
}

function rejectOtherSchema(name: string, schema: unknown, declared: RunnerOperation | undefined): void {
  if (schema === undefined) return
  if (declared?.input_schema == null) {
    throw new StartRefused(
      `the operation ${quoteText(name)} has an input_schema in code and none in plugin.toml, which is the source. ` +
        `Add to its [[operations]] with name = ${quoteText(name)} the line: input_schema = "${name}.schema.json" (a file with that schema)`,
    )
  }
  const difference = findDifference(declared.input_schema, schema)
  if (difference === null) return
  throw new StartRefused(
    `the input_schema of the operation ${quoteText(name)} differs from the one in plugin.toml, which is the source: ` +
      `at ${difference.path}, plugin.toml says ${difference.left}, the code says ${difference.right}. Make them equal, or take it out of the code`,
  )
}
