import { parse, TomlError } from 'smol-toml'
import type { PluginType } from '../life.ts'
import type { Manifest } from '../manifest.ts'
import { MIN_PROCESSES } from '../limits.ts'
import { countRights, MAX_RIGHTS, parsePermission, type Permission } from '../permission.ts'
import type { ManifestIssue } from '../plugin-info.ts'
import { quoteText } from '../quote-text.ts'
import { IssueList, type Problem } from './issue-list.ts'
import type { SourcePlace } from './key-locator.ts'
import {
  homeOfKey,
  MANIFEST_KEYS,
  MANIFEST_SECTIONS,
  sectionHeader,
  type ManifestSection,
} from './manifest-keys.ts'
import { nearestName } from './nearest-name.ts'
import { parseLimits, parseRestart, parseRuntime } from './parse-limits.ts'
import { parseMessages } from './parse-messages.ts'
import { parseOperations } from './parse-operations.ts'
import type { ReadSchemaFile } from './parse-schema.ts'
import { isPluginId, parseIdentity, type CheckEntryPoint, type Identity } from './parse-identity.ts'
import { readSchema } from './schema-value.ts'
import { isTable, rejectValue, TableReader, type TomlTable } from './table-reader.ts'
import { isVersionRange } from './version-text.ts'

/** Tables and arrays inside one another; a schema's own limit is lower. */
const MAX_TOML_DEPTH = 64
const MAX_TAG_CHARS = 64
/** Asked of whoever approves it, it would only frighten. */
const NO_PROGRAMS: Problem = {
  problem: '"process" lets a plugin start programs, and there is no way to from WebAssembly',
  remedy: 'Remove it',
}

export interface ParseManifestOptions {
  /** How the issues name the file. */
  file: string
  readSchemaFile: ReadSchemaFile
  /** Asked for the entry point once its spelling is right: all that is wrong with it on disk. */
  checkEntryPoint?: CheckEntryPoint
}

export interface ParsedManifest {
  /** Null when there is an error among the issues. */
  manifest: Manifest | null
  issues: ManifestIssue[]
  /** The plugin's id and where it stands, also when the rest is wrong; null where the file gives no valid one. */
  id: ({ value: string } & SourcePlace) | null
}

/** Reads the text of a `plugin.toml`. Reports every mistake, each with its place, and never throws. */
export function parseManifest(text: string, options: ParseManifestOptions): ParsedManifest {
  const issues = new IssueList(text, options.file)
  const document = parseDocument(text, issues)
  if (document === null) return { manifest: null, issues: issues.toArray(), id: null }
  const manifest = readDocument(document, issues, options)
  const value = manifest?.id ?? ''
  const id = isPluginId(value) ? { value, ...issues.placeOf(['plugin', 'id']) } : null
  return { manifest: issues.hasErrors ? null : manifest, issues: issues.toArray(), id }
}

function parseDocument(text: string, issues: IssueList): TomlTable | null {
  if (text.trim() === '') {
    const remedy = 'Begin it with [plugin] and its id, name, version, type and entry_point'
    issues.errorAt({ line: 1, column: 1 }, `Cannot read "plugin.toml": the file is empty. ${remedy}`)
    return null
  }
  const nul = text.indexOf('\0')
  if (nul !== -1) {
    const before = text.slice(0, nul).split('\n')
    const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
    issues.errorAt(place, 'Cannot read "plugin.toml": it holds a NUL byte. Save it as UTF-8 text')
    return null
  }
  try {
    // Integers beyond 2^53 come as bigint, so that they are reported by the key that has them.
    return parse(text, { integersAsBigInt: 'asNeeded', maxDepth: MAX_TOML_DEPTH })
  } catch (error) {
    const place =
      error instanceof TomlError ? { line: error.line, column: error.column } : { line: 1, column: 1 }
    issues.errorAt(
      place,
      `Cannot read "plugin.toml": ${tomlWords(error)}. Mend it there: the file must be TOML 1.1`,
    )
    return null
  }
}

/** The first line of smol-toml's message: the rest shows the source, which may be long. */
function tomlWords(error: unknown): string {
  const message = error instanceof Error ? error.message : 'it cannot be parsed'
  const [words = ''] = message.replace(/^Invalid TOML document: /, '').split('\n')
  return `it is not TOML, ${words.replace(/\.+$/, '')}`
}

function readDocument(
  document: TomlTable,
  issues: IssueList,
  options: ParseManifestOptions,
): Manifest | null {
  rejectUnknownSections(document, issues)
  const section = (name: ManifestSection): TableReader => readerOf(document, name, issues)
  const identity = readIdentity(document, issues, options)
  const rest = {
    dependencies: section('dependencies').textEntries({ sample: '"^1.0.0"', checkKey: dependencyProblem }),
    pluginDependencies: section('plugin_dependencies').textEntries({
      sample: '"^1.0.0"',
      checkKey: (id) => (isPluginId(id) ? null : `${quoteText(id)} is no id of a plugin`),
      check: (range) => (isVersionRange(range) ? null : `${quoteText(range)} is no range of versions`),
    }),
    permissions: parsePermissions(section('permissions'), identity?.type ?? 'javascript', issues),
    limits: parseLimits(section('resource_limits')),
    runtime: parseRuntime(section('runtime'), identity?.type ?? 'javascript', issues),
    restart: parseRestart(section('restart')),
    tags: parseTags(document['tags'], issues),
    operations: parseOperations(document['operations'], issues, options.readSchemaFile),
    messages: parseMessages(document['messages'], issues, options.readSchemaFile),
    configuration: parseConfiguration(document, issues),
  }
  if (identity === null) return null
  checkThreads({ ...identity, ...rest }, issues)
  return { ...identity, ...rest }
}

/** What `[runtime] threads` does not go with. */
function checkThreads(
  { type, runtime: { threads }, limits: { maxProcesses } }: Manifest,
  issues: IssueList,
): void {
  if (threads === 0) return
  const path = ['runtime', 'threads']
  if (type !== 'javascript') {
    const problem = `only a plugin of type "javascript" has threads of the runner's, this one is "${type}"`
    issues.error(path, {
      problem,
      remedy: type === 'native' ? 'Remove the line; a native plugin starts its own' : 'Remove the line',
    })
  }
  // The runner's own, the one that starts the others, and they.
  const least = MIN_PROCESSES + 1 + threads
  if (maxProcesses !== null && maxProcesses < least) {
    const problem = `${threads} threads need max_processes = ${least}, and the manifest says ${maxProcesses}`
    issues.error(path, { problem, remedy: 'Raise max_processes in [resource_limits], or take fewer' })
  }
}

function readIdentity(
  document: TomlTable,
  issues: IssueList,
  options: ParseManifestOptions,
): Identity | null {
  if (Object.hasOwn(document, 'plugin')) {
    const reader = readerOf(document, 'plugin', issues)
    return isTable(document['plugin']) ? parseIdentity(reader, issues, options.checkEntryPoint) : null
  }
  const remedy = 'Add [plugin] with id, name, version, type and entry_point'
  issues.error(['plugin'], { problem: 'the section is missing', remedy })
  return null
}

/** A section's reader, of an empty table where the section is absent or no table. */
function readerOf(document: TomlTable, name: ManifestSection, issues: IssueList): TableReader {
  const value = Object.hasOwn(document, name) ? document[name] : {}
  if (!isTable(value)) {
    const remedy = `Write the header ${sectionHeader(name)}, once`
    rejectValue(issues, [name], { found: value, expected: 'a table', remedy })
  }
  const reader = new TableReader(isTable(value) ? value : {}, [name], issues)
  const known = MANIFEST_KEYS[name]
  if (known !== null) reader.rejectUnknownKeys(known, homeOfKey)
  return reader
}

function rejectUnknownSections(document: TomlTable, issues: IssueList): void {
  for (const key of Object.keys(document)) {
    if (MANIFEST_SECTIONS.some((section) => section === key)) continue
    issues.error([key], () => unknownSectionProblem(key, document[key]))
  }
}

function unknownSectionProblem(key: string, value: unknown): Problem {
  const home = isTable(value) ? null : homeOfKey(key)
  const nearest = nearestName(key, MANIFEST_SECTIONS)
  const near = MANIFEST_SECTIONS.find((section) => section === nearest)
  let remedy = `Remove it; known are ${MANIFEST_SECTIONS.map(sectionHeader).join(', ')}`
  if (home !== null) remedy = `Move it to ${home}`
  else if (near !== undefined) remedy = `Did you mean ${sectionHeader(near)}?`
  return { problem: 'this section is unknown', remedy }
}

function dependencyProblem(name: string): string | null {
  return name === '__proto__' ? '"__proto__" is no name of a library' : null
}

function parsePermissions(reader: TableReader, type: PluginType, issues: IssueList): Permission[] {
  const permissions: Permission[] = []
  if (!reader.has('permissions')) return permissions
  reader.texts('permissions', '"fs_read:./data"', (text, path) => {
    const permission = parsePermission(text)
    if ('error' in permission) issues.sentence(path, permission.error)
    else if (permission.kind === 'process' && type === 'wasm') issues.error(path, NO_PROGRAMS)
    else permissions.push(permission)
  })
  const count = permissions.reduce((sum, permission) => sum + countRights(permission), 0)
  if (count > MAX_RIGHTS) {
    const problem = `it asks for ${count} paths, hosts and variables, at most ${MAX_RIGHTS} are allowed`
    issues.error(['permissions', 'permissions'], {
      problem,
      remedy: 'Name the folders above, or patterns of hosts',
    })
  }
  return permissions
}

/** `[[tags]] tags = […]`, as often as one likes; one flat list without repetitions. */
function parseTags(value: unknown, issues: IssueList): string[] {
  const tags = new Set<string>()
  if (value === undefined) return []
  if (!Array.isArray(value) || !value.every(isTable)) {
    const remedy = 'Write [[tags]] and below it tags = ["data-processing"]'
    rejectValue(issues, ['tags'], { found: value, expected: 'an array of tables', remedy })
    return []
  }
  for (const [index, item] of value.entries()) {
    const reader = new TableReader(item, ['tags', index], issues)
    reader.rejectUnknownKeys(MANIFEST_KEYS.tags, homeOfKey)
    reader.texts('tags', '"data-processing"', (text, path) => {
      if (/^[^\s\p{C}](?:[^\p{C}]*[^\s\p{C}])?$/u.test(text) && text.length <= MAX_TAG_CHARS) tags.add(text)
      else {
        const problem = `${quoteText(text)} is no tag (1 to ${MAX_TAG_CHARS} characters, no blank at the ends)`
        issues.error(path, { problem, remedy: 'Write it like "data-processing"' })
      }
    })
  }
  return [...tags]
}

function parseConfiguration(document: TomlTable, issues: IssueList): Record<string, unknown> | null {
  if (!Object.hasOwn(document, 'configuration')) return null
  const read = readSchema(document['configuration'])
  if ('schema' in read) return read.schema
  for (const { path, ...problem } of read.problems) issues.error(['configuration', ...path], problem)
  return null
}
