import type { ManifestMessage } from '../manifest.ts'
import { MESSAGE_TYPE } from '../messages.ts'
import { quoteText } from '../quote-text.ts'
import type { IssueList } from './issue-list.ts'
import { MAX_DESCRIPTION_CHARS, parseEntries } from './parse-entries.ts'
import { isPluginId } from './parse-identity.ts'
import { parseSchema, type ReadSchemaFile, type Reading } from './parse-schema.ts'
import type { TableReader } from './table-reader.ts'

export const EVERY_PLUGIN = '*'
const MAX_SENDERS = 256
const SAMPLE = '"another_plugin"'

/** `[[messages]]`: what a plugin takes, and from whom. */
export function parseMessages(
  value: unknown,
  issues: IssueList,
  readSchemaFile: ReadSchemaFile,
): ManifestMessage[] {
  const kind = { section: 'messages', key: 'type', parse: parseMessage } as const
  return parseEntries<ManifestMessage>(value, kind, { issues, readSchemaFile })
}

function parseMessage(reader: TableReader, reading: Reading): ManifestMessage {
  return {
    type: reader.requiredText('type', { sample: '"build_done"', check: typeProblem }) ?? '',
    description:
      reader.text('description', {
        sample: '"What it does then"',
        maxChars: MAX_DESCRIPTION_CHARS,
        isMultiline: true,
      }) ?? '',
    from: parseSenders(reader, reading.issues),
    inputSchema: parseSchema(reader, 'input_schema', reading),
  }
}

/** An empty list says what the line's absence says better. */
function parseSenders(reader: TableReader, issues: IssueList): string[] | null {
  if (!reader.has('from')) return null
  const senders = new Set<string>()
  reader.texts('from', SAMPLE, (text, path) => {
    if (text === EVERY_PLUGIN || isPluginId(text)) senders.add(text)
    else {
      const problem = `${quoteText(text)} is no id of a plugin, nor "${EVERY_PLUGIN}" for every plugin`
      issues.error(path, { problem, remedy: `Write from = [${SAMPLE}]` })
    }
  })
  const found = reader.get('from')
  const count = Array.isArray(found) ? found.length : 1
  if (count > 0 && count <= MAX_SENDERS) return [...senders]
  issues.error(reader.pathOf('from'), {
    problem:
      count === 0 ? 'it names nobody' : `it names ${count} plugins, at most ${MAX_SENDERS} are allowed`,
    remedy: `Name plugins, write ["${EVERY_PLUGIN}"] for all, or remove the line: then applications alone may send it`,
  })
  return null
}

function typeProblem(type: string): string | null {
  if (MESSAGE_TYPE.test(type)) return null
  return `${quoteText(type)} is no type of a message (a letter or "_", then at most 63 letters, digits, "_", "." or "-")`
}
