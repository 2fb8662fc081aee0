import { quoteText } from '../quote-text.ts'
import { folderPathProblem } from './folder-path.ts'
import type { IssueList } from './issue-list.ts'
import { readSchema, schemaPlace } from './schema-value.ts'
import { isTable, rejectValue, type TableReader } from './table-reader.ts'

/** Reads a schema file of the plugin's folder; `error` says what is so, "it does not exist". */
export type ReadSchemaFile = (relativePath: string) => { text: string } | { error: string }

export interface Reading {
  issues: IssueList
  readSchemaFile: ReadSchemaFile
}

/** A schema that stands in the manifest or in the file that it names; null where there is none. */
export function parseSchema(
  reader: TableReader,
  key: string,
  reading: Reading,
): Record<string, unknown> | null {
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
