import type { Dirent } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../../src/contract/manifest.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../src/contract/plugin-info.ts'
import { isInside } from './read-inside.ts'
import { MANIFEST_FILE, readManifest, type ReadManifest } from './read-manifest.ts'

/** Manifests in memory at once; each may have a megabyte. */
const MAX_PARALLEL_READS = 8
/** As long as the wire lets a plugin's id be. */
const MAX_LISTED_ID_CHARS = 128

export interface PluginSource {
  directory: string
  builtin: boolean
}

export interface DiscoveredPlugin {
  /**
   * The manifest's id, or the folder's name where it gives none. What lost a clash is listed as `id@folder`: no
   * manifest can claim such an id.
   */
  id: string
  /** A real path. */
  directory: string
  builtin: boolean
  /** Null for a plugin that is invalid; `issues` say why. */
  manifest: Manifest | null
  issues: ManifestIssue[]
}

/**
 * Reads every plugin below the given folders; what is wrong with one is its own issue and keeps no other from
 * loading. The order is that of the sources, then of the folders' names. An id belongs to the valid plugin whose
 * folder has that name, so that no folder that is added takes another's place, its data and its rights; else to the
 * first valid one that claims it. An invalid one that stands earlier does not take it away.
 *
 * @throws PhantomError `PLUGIN_DIRECTORY_NOT_FOUND` for a source that cannot be listed
 */
export async function discoverPlugins(sources: readonly PluginSource[]): Promise<DiscoveredPlugin[]> {
  const candidates: Candidate[] = []
  const seen = new Set<string>()
  for (const source of sources) {
    for (const candidate of await listCandidates(source)) {
      if (seen.has(candidate.directory)) continue
      seen.add(candidate.directory)
      candidates.push(candidate)
    }
  }
  const readings = await mapBounded(candidates, MAX_PARALLEL_READS, readCandidate)
  return settleIds(readings)
}

interface Candidate {
  folder: string
  /** The real path; for a link that is not followed, its own. */
  directory: string
  builtin: boolean
  /** Why it is not even read. */
  refused: string | null
}

interface Reading extends ReadManifest {
  folder: string
  builtin: boolean
}

/** Folders of the source that have a manifest; real ones before links, so that a folder keeps its own name. */
async function listCandidates({ directory, builtin }: PluginSource): Promise<Candidate[]> {
  const { real, entries } = await listSource(directory)
  const named = entries.filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
  const sorted = named.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const candidates: Candidate[] = []
  for (const { name: folder } of sorted.filter((entry) => entry.isDirectory())) {
    const path = join(real, folder)
    if (await hasManifest(path)) candidates.push({ folder, directory: path, builtin, refused: null })
  }
  const folders = new Set(candidates.map((candidate) => candidate.directory))
  for (const { name: folder } of sorted.filter((entry) => entry.isSymbolicLink())) {
    const link = await followLink(real, folder)
    if (link !== null && !folders.has(link.directory)) candidates.push({ folder, builtin, ...link })
  }
  return candidates.toSorted((a, b) => (a.folder < b.folder ? -1 : 1))
}

async function listSource(directory: string): Promise<{ real: string; entries: Dirent[] }> {
  try {
    const real = await realpath(directory)
    return { real, entries: await readdir(real, { withFileTypes: true }) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const found = code === 'ENOENT' ? 'it does not exist' : `it cannot be listed (${code})`
    throw new PhantomError(
      'PLUGIN_DIRECTORY_NOT_FOUND',
      `Cannot read plugin directory "${directory}": ${found}. Create it, or name another folder`,
      { details: { directory, code }, cause: error },
    )
  }
}

/** Null for a link to what is no plugin. */
async function followLink(
  source: string,
  folder: string,
): Promise<Pick<Candidate, 'directory' | 'refused'> | null> {
  const path = join(source, folder)
  let target: string
  try {
    target = await realpath(path)
    if (!(await stat(target)).isDirectory() || !(await hasManifest(target))) return null
  } catch {
    return { directory: path, refused: 'is a link that leads nowhere, or where this process may not look' }
  }
  if (isInside(source, target) && target !== source) return { directory: target, refused: null }
  return { directory: path, refused: `is a link that leaves the plugin directory, to "${target}"` }
}

/** Also true where that cannot be seen: reading the manifest then says why. */
async function hasManifest(directory: string): Promise<boolean> {
  try {
    await lstat(join(directory, MANIFEST_FILE))
    return true
  } catch (error) {
    return !(
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ENOENT' || error.code === 'ENOTDIR')
    )
  }
}

async function readCandidate({ folder, directory, builtin, refused }: Candidate): Promise<Reading> {
  if (refused === null) return { ...(await readManifest(directory)), folder, builtin }
  const message = `Cannot load the plugin folder "${folder}": it ${refused}. Put the folder itself there`
  const issue = issueAt(join(directory, MANIFEST_FILE), { line: 1, column: 1, field: '', message })
  return { manifest: null, issues: [issue], directory, id: null, folder, builtin }
}

function settleIds(readings: readonly Reading[]): DiscoveredPlugin[] {
  const owners = new Map<string, Reading>()
  const isNamesake = (reading: Reading): boolean => reading.folder === reading.manifest?.id
  for (const reading of [...readings.filter(isNamesake), ...readings]) {
    const id = reading.manifest?.id
    if (id !== undefined && !owners.has(id)) owners.set(id, reading)
  }
  const taken = new Set(owners.keys())
  return readings.map((reading) => {
    const { directory, builtin, manifest, issues } = reading
    const wanted = reading.id?.value ?? listable(reading.folder)
    const owner = owners.get(wanted)
    if (owner === reading) return { id: wanted, directory, builtin, manifest, issues }
    const id = uniqueId(wanted, reading.folder, taken)
    taken.add(id)
    // An invalid plugin that wants a taken id has a reason of its own already, and is told of this one, too.
    const clash = owner === undefined || reading.id === null ? [] : [clashIssue(reading, owner, wanted)]
    return { id, directory, builtin, manifest: null, issues: [...issues, ...clash] }
  })
}

function clashIssue(reading: Reading, owner: Reading, id: string): ManifestIssue {
  const { line, column } = reading.id ?? { line: 1, column: 1 }
  const where = `already the id of the plugin in "${owner.directory}", this one lies in "${reading.directory}"`
  const message = `Cannot use "plugin.id": "${id}" is ${where}. Change one of the ids, or remove one of the folders`
  return issueAt(join(reading.directory, MANIFEST_FILE), { line, column, field: 'plugin.id', message })
}

function issueAt(file: string, rest: Omit<ManifestIssue, 'file' | 'severity'>): ManifestIssue {
  return { file, severity: 'error', ...rest }
}

function uniqueId(wanted: string, folder: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted
  const qualified = `${wanted}@${listable(folder)}`.slice(0, MAX_LISTED_ID_CHARS)
  if (!taken.has(qualified)) return qualified
  for (let count = 2; ; count += 1) {
    const suffix = `#${count}`
    const numbered = qualified.slice(0, MAX_LISTED_ID_CHARS - suffix.length) + suffix
    if (!taken.has(numbered)) return numbered
  }
}

/** A folder's name as an id to list: short enough for the wire, and nothing that steers a terminal. */
function listable(folder: string): string {
  return folder.replace(/\p{C}/gu, '?').slice(0, MAX_LISTED_ID_CHARS / 2)
}

/** Results stand in the order of the items. */
async function mapBounded<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const waiting = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return results
}
