import type { ManifestOperation } from '../manifest.ts'
import { quoteText } from '../quote-text.ts'
import type { IssueList } from './issue-list.ts'
import { MAX_DESCRIPTION_CHARS, parseEntries } from './parse-entries.ts'
import { parseSchema, type ReadSchemaFile, type Reading } from './parse-schema.ts'
import type { TableReader } from './table-reader.ts'

const OPERATION_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/
/** A day, as for the `timeout_ms` of a call. */
const MAX_TIMEOUT_MS = 86_400_000

export function parseOperations(
  value: unknown,
  issues: IssueList,
  readSchemaFile: ReadSchemaFile,
): ManifestOperation[] {
  const kind = { section: 'operations', key: 'name', parse: parseOperation } as const
  return parseEntries<ManifestOperation>(value, kind, { issues, readSchemaFile })
}

function parseOperation(reader: TableReader, reading: Reading): ManifestOperation {
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
