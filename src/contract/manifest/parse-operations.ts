import type { ManifestOperation } from '../manifest.ts'
import { quoteText } from '../quote-text.ts'
import type { IssueList } from './issue-list.ts'
import type { KeyPath } from './key-locator.ts'
import { homeOfKey, MANIFEST_KEYS } from './manifest-keys.ts'
import { folderPathProblem } from './folder-path.ts'
import { readSchema, schemaPlace } from './schema-value.ts'
import { isTable, rejectValue, TableReader } from './table-reader.ts'

const OPERATION_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/
/** Far above any plugin seen; keeps the work that one manifest can ask for bounded. */
const MAX_OPERATIONS = 256
const MAX_DESCRIPTION_CHARS = 8192
/** A day, as for the `timeout_ms` of a call. */
const MAX_TIMEOUT_MS = 86_400_000

/** Reads a schema file of the plugin's folder; `error` says what is so, "it does not exist". */
export type ReadSchemaFile = (relativePath: string) => { text: string } | { error: string }

export function parseOperations(
  value: unknown,
  issues: IssueList,
  readSchemaFile: ReadSchemaFile,
): ManifestOperation[] {
  if (value === undefined) return []
  const path = ['operations']
  if (!Array.isArray(value)) {
    const remedy = 'Begin each operation with a line [[operations]]'
    rejectValue(issues, path, { found: value, expected: 'an array of tables', remedy })
    return []
  }
  if (value.length > MAX_OPERATIONS) {
    const problem = `it has ${value.length} operations, at most ${MAX_OPERATIONS} are allowed`
    issues.error(path, { problem, remedy: 'Merge some, or make two plugins' })
    return []
  }
  const indexByName = new Map<string, number>()
  return value.map((item, index) => {
    const operation = parseOperation(item, [...path, index], { issues, readSchemaFile })
    const first = indexByName.get(operation.name)
    if (operation.name !== '' && first !== undefined) {
      const problem = `the name ${quoteText(operation.name)} already stands in operations[${first}]`
      issues.error([...path, index, 'name'], { problem, remedy: 'Give each operation a name of its own' })
    } else indexByName.set(operation.name, index)
    return operation
  })
}

interface Reading {
  issues: IssueList
  readSchemaFile: ReadSchemaFile
}

function parseOperation(item: unknown, path: KeyPath, reading: Reading): ManifestOperation {
  const { issues } = reading
  if (!isTable(item)) {
    rejectValue(issues, path, { found: item, expected: 'a table', remedy: 'Begin it with [[operations]]' })
  }
  const reader = new TableReader(isTable(item) ? item : {}, path, issues)
  reader.rejectUnknownKeys(MANIFEST_KEYS.operations, homeOfKey)
  return {
    name: reader.requiredText('name', { sample: '"analyze_file"', check: operationNameProblem }) ?? '',
    description:
      reader.text('description', {
        sample: '"What it does"',
        maxChars: MAX_DESCRIPTION_CHARS,
        isMultiline: true,
      }) ?? '',
    inputSchema: parseSchema(reader, 'input_schema', reading),
    outputSchema: parseSchema(reader, 'output_schema', reading),
    idempotent: reader.flag('idempotent') ?? false,
    timeoutMs: reader.integer('timeout_ms', { min: 1, max: MAX_TIMEOUT_MS }),
  }
}

function operationNameProblem(name: string): string | null {
  if (OPERATION_NAME.test(name)) return null
  return `${quoteText(name)} is no name of an operation (a letter or "_", then at most 63 letters, digits, "_", "." or "-")`
}

function parseSchema(reader: TableReader, key: string, reading: Reading): Record<string, unknown> | null {
  const value = reader.get(key)
  if (value === undefined) return null
  if (typeof value === 'string') return parseSchemaFile(reader, key, { ...reading, file: value })
  if (!isTable(value)) {
    const expected = 'a JSON Schema, as a table or as the path of a .json file'
    const remedy = `Write ${key} = { type = "object" } or ${key} = "schema.json"`
    rejectValue(reading.issues, reader.pathOf(key), { found: value, expected, remedy })
    return null
  }
  const read = readSchema(value)
  if ('schema' in read) return read.schema
  for (const { path, ...problem } of read.problems)
    reading.issues.error([...reader.pathOf(key), ...path], problem)
  return null
}

function parseSchemaFile(
  reader: TableReader,
  key: string,
  { issues, readSchemaFile, file }: Reading & { file: string },
): Record<string, unknown> | null {
  const fail = (problem: string, remedy: string): null => {
    issues.error(reader.pathOf(key), { problem, remedy })
    return null
  }
  const named = quoteText(file)
  const problem = folderPathProblem(file)
  if (problem !== null) return fail(`${named} ${problem}`, 'Name a .json file inside the plugin folder')
  if (!file.endsWith('.json'))
    return fail(`${named} does not end in .json`, 'Write the schema as a .json file')
  const content = readSchemaFile(file)
  if ('error' in content) return fail(`the file ${named}: ${content.error}`, 'Mend the file, or name another')
  let value: unknown
  try {
    value = JSON.parse(content.text)
  } catch (error) {
    const words = error instanceof Error ? error.message : 'it cannot be read'
    return fail(`the file ${named} is not JSON: ${words}`, 'Mend the file')
  }
  const read = readSchema(value)
  if ('schema' in read) return read.schema
  for (const found of read.problems)
    fail(`in the file ${named}, ${schemaPlace(found.path)}: ${found.problem}`, found.remedy)
  return null
}
