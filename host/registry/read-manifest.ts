import { isUtf8 } from 'node:buffer'
import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { MAX_MANIFEST_BYTES } from '../../src/contract/limits.ts'
import type { Manifest } from '../../src/contract/manifest.ts'
import { parseManifest, type ParsedManifest } from '../../src/contract/manifest/parse-manifest.ts'
import { MAX_SCHEMA_BYTES } from '../../src/contract/manifest/schema-value.ts'
import type { Problem } from '../../src/contract/manifest/issue-list.ts'
import type { PluginType } from '../../src/contract/life.ts'
import type { ManifestIssue } from '../../src/contract/plugin-info.ts'
import { entryPointProblems } from './entry-point-problems.ts'
import { readInside } from './read-inside.ts'

export const MANIFEST_FILE = 'plugin.toml'
/** All schema files of one plugin together; they are parsed on the daemon's loop. */
const MAX_ALL_SCHEMA_BYTES = 4 * 1024 * 1024

export interface ReadManifest {
  /** Null when an issue is an error. */
  manifest: Manifest | null
  issues: ManifestIssue[]
  /** The plugin's folder, as a real path where it exists. */
  directory: string
  /** As `ParsedManifest.id`. */
  id: ParsedManifest['id']
}

type SchemaText = { text: string } | { error: string }

/** Reads and checks `plugin.toml` of a folder, with the files it names. Rejects never: what is wrong is an issue. */
export async function readManifest(pluginDir: string): Promise<ReadManifest> {
  let directory = resolve(pluginDir)
  try {
    directory = await realpath(directory)
  } catch {
    // Reading the manifest below fails for the same reason, and says it.
  }
  const file = join(directory, MANIFEST_FILE)
  const source = await readInside(directory, MANIFEST_FILE, MAX_MANIFEST_BYTES)
  if ('error' in source) {
    const remedy = source.isMissing
      ? 'Create it: "phantom new" writes a whole plugin, and docs/writing-plugins.md shows the smallest one'
      : 'Put a readable text file of your own there'
    return failed(directory, { line: 1, column: 1, message: `${source.error}. ${remedy}` })
  }
  const { bytes } = source
  if (!isUtf8(bytes)) {
    return failed(directory, {
      ...invalidUtf8Place(bytes),
      message: 'it is not UTF-8. Save it as UTF-8 text',
    })
  }
  // The decoder drops a byte order mark, which would shift columns.
  const parsed = await parseWithFiles(new TextDecoder().decode(bytes), file, directory)
  return { ...parsed, directory }
}

/**
 * The parser is pure, so it runs twice: once to hear which files the manifest names, and once with what is in
 * them. Not where all that it heard of is an entry point in order, as it took it to be.
 */
async function parseWithFiles(text: string, file: string, directory: string): Promise<ParsedManifest> {
  const schemaFiles = new Map<string, SchemaText>()
  const entryPoints = new Map<string, { type: PluginType; problems: readonly Problem[] }>()
  const parse = (): ParsedManifest =>
    parseManifest(text, {
      file,
      readSchemaFile(path) {
        const known = schemaFiles.get(path) ?? { error: 'it was not read' }
        schemaFiles.set(path, known)
        return known
      },
      checkEntryPoint(path, type) {
        const known = entryPoints.get(path) ?? { type, problems: [] }
        entryPoints.set(path, known)
        return known.problems
      },
    })
  const first = parse()
  if (schemaFiles.size === 0 && entryPoints.size === 0) return first
  await readSchemaFiles(directory, schemaFiles)
  const maxMemoryMb = first.manifest?.limits.maxMemoryMb ?? null
  for (const [path, known] of entryPoints)
    known.problems = await entryPointProblems(directory, path, { type: known.type, maxMemoryMb })
  const isAsAssumed =
    schemaFiles.size === 0 && [...entryPoints.values()].every(({ problems }) => problems.length === 0)
  return isAsAssumed ? first : parse()
}

async function readSchemaFiles(directory: string, files: Map<string, SchemaText>): Promise<void> {
  let leftBytes = MAX_ALL_SCHEMA_BYTES
  for (const path of files.keys()) {
    const content = await readInside(directory, path, Math.min(MAX_SCHEMA_BYTES, leftBytes))
    if ('error' in content) {
      files.set(path, { error: content.error })
    } else if (!isUtf8(content.bytes)) {
      files.set(path, { error: 'it is not UTF-8' })
    } else {
      leftBytes -= content.bytes.byteLength
      files.set(path, { text: new TextDecoder().decode(content.bytes) })
    }
  }
}

function failed(
  directory: string,
  { line, column, message }: { line: number; column: number; message: string },
): ReadManifest {
  const issue: ManifestIssue = {
    file: join(directory, MANIFEST_FILE),
    line,
    column,
    field: '',
    severity: 'error',
    message: `Cannot read "${MANIFEST_FILE}": ${message}`,
  }
  return { manifest: null, issues: [issue], directory, id: null }
}

/** A line break is never part of a longer UTF-8 sequence, so the first line that is no UTF-8 holds the fault. */
function invalidUtf8Place(bytes: Buffer): { line: number; column: number } {
  let line = 1
  let start = 0
  for (;;) {
    const end = bytes.indexOf(0x0a, start)
    const slice = bytes.subarray(start, end === -1 ? bytes.length : end)
    if (end === -1 || !isUtf8(slice)) {
      const column = new TextDecoder().decode(slice).indexOf('\ufffd') + 1
      return { line, column: Math.max(1, column) }
    }
    line += 1
    start = end + 1
  }
}
