import { quoteText } from '../quote-text.ts'
import type { KeyPath } from './key-locator.ts'
import type { Reading } from './parse-schema.ts'
import { homeOfKey, MANIFEST_KEYS } from './manifest-keys.ts'
import { isTable, rejectValue, TableReader } from './table-reader.ts'

/** Far above any plugin seen; keeps the work that one manifest can ask for bounded. */
const MAX_ENTRIES = 256
export const MAX_DESCRIPTION_CHARS = 8192

interface EntryKind<Entry> {
  readonly section: 'operations' | 'messages'
  /** What tells one entry from another. */
  readonly key: string & keyof Entry
  parse(reader: TableReader, reading: Reading): Entry
}

/** A section that is an array of tables, each with a name of its own. */
export function parseEntries<Entry>(value: unknown, kind: EntryKind<Entry>, reading: Reading): Entry[] {
  if (value === undefined) return []
  const { section, key } = kind
  const { issues } = reading
  const path = [section]
  if (!Array.isArray(value)) {
    const remedy = `Begin each one with a line [[${section}]]`
    rejectValue(issues, path, { found: value, expected: 'an array of tables', remedy })
    return []
  }
  if (value.length > MAX_ENTRIES) {
    const problem = `it has ${value.length} ${section}, at most ${MAX_ENTRIES} are allowed`
    issues.error(path, { problem, remedy: 'Merge some, or make two plugins' })
    return []
  }
  const indexByName = new Map<unknown, number>()
  return value.map((item, index) => {
    const at = [...path, index]
    const entry = kind.parse(readerOf(item, at, { section, issues }), reading)
    const name = entry[key]
    const first = indexByName.get(name)
    if (name !== '' && first !== undefined) {
      const problem = `the ${key} ${quoteText(String(name))} already stands in ${section}[${first}]`
      issues.error([...at, key], { problem, remedy: `Give each one a ${key} of its own` })
    } else indexByName.set(name, index)
    return entry
  })
}

function readerOf(
  item: unknown,
  path: KeyPath,
  { section, issues }: Pick<Reading, 'issues'> & { section: 'operations' | 'messages' },
): TableReader {
  const remedy = `Begin it with [[${section}]]`
  if (!isTable(item)) rejectValue(issues, path, { found: item, expected: 'a table', remedy })
  const reader = new TableReader(isTable(item) ? item : {}, path, issues)
  reader.rejectUnknownKeys(MANIFEST_KEYS[section], homeOfKey)
  return reader
}
