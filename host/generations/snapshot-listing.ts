import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FileWork } from './snapshot-files.ts'
import { errorOf, folderChanged } from './snapshot-error.ts'

/** Folders that no plugin runs from. */
const LEFT_OUT = new Set(['.git', '.phantom'])

export interface FolderLimits {
  /** Files, links and folders. */
  readonly maxEntries: number
  readonly maxBytes: number
}

export interface FolderEntry {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  readonly mode: number
}

export interface Listing {
  /** Sorted, the folder itself first, as '': a folder comes before what is in it. */
  readonly entries: readonly FolderEntry[]
  readonly digest: string
  /** When a file of it changed last, on the wall clock. */
  readonly changedAtMs: number
  /** Which limit it is beyond, in words; its entries are then not all. */
  readonly excess: string | null
}

/** What was changed is seen by its time and size; reading every file would cost each start of the daemon. */
export async function listFolder(root: string, work: FileWork, limits: FolderLimits): Promise<Listing> {
  const hash = createHash('sha256').update(`3 ${process.version} ${root}`)
  const entries: FolderEntry[] = []
  let bytes = 0
  let changedAtMs = 0
  const found = await findPaths(root, work, limits)
  const filled = foldersWithFiles(found)
  for (const path of [...found.keys()].toSorted()) {
    const stat = await statOf(join(root, path), work)
    const mode = Number(stat.mode) & 0o755
    const kind = kindOf(Number(stat.mode))
    // A link in a folder's place would lead what is copied into that folder elsewhere.
    if ((kind === 'folder') !== found.get(path)) throw folderChanged(join(root, path))
    entries.push({ path, kind, mode })
    // Its time changes with every file that comes and goes, and that says the list; an empty one changes nothing.
    if (kind === 'folder') {
      if (filled.has(path)) hash.update(`\0${path}\0${mode}`)
      continue
    }
    hash.update(`\0${path}\0${stat.ino}\0${stat.mtimeNs}\0${stat.ctimeNs}\0${stat.size}`)
    bytes += Number(stat.size)
    changedAtMs = Math.max(changedAtMs, Number(stat.ctimeNs / 1_000_000n))
  }
  const excess =
    entries.length > limits.maxEntries
      ? `more than ${limits.maxEntries} files and folders`
      : bytes > limits.maxBytes
        ? `more than ${limits.maxBytes / 1024 / 1024} MiB`
        : null
  return { entries, digest: hash.digest('hex').slice(0, 32), changedAtMs, excess }
}

/** The folders on the way to a file or a link, the folder itself with them. */
function foldersWithFiles(found: ReadonlyMap<string, boolean>): ReadonlySet<string> {
  const folders = new Set([''])
  for (const [path, isFolder] of found) {
    if (isFolder) continue
    for (let above = dirname(path); above !== '.' && !folders.has(above); above = dirname(above))
      folders.add(above)
  }
  return folders
}

/** Each with whether it is a folder; of a folder with too many, as many as show it. */
async function findPaths(root: string, work: FileWork, limits: FolderLimits): Promise<Map<string, boolean>> {
  const found = new Map([['', true]])
  const folders = ['']
  while (folders.length > 0) {
    const folder = folders.pop()!
    for (const entry of await namesIn(join(root, folder), work)) {
      const isFolder = entry.isDirectory()
      const path = join(folder, entry.name)
      if (isFolder ? LEFT_OUT.has(entry.name) : !entry.isFile() && !entry.isSymbolicLink()) continue
      found.set(path, isFolder)
      if (isFolder) folders.push(path)
      if (found.size > limits.maxEntries) return found
    }
  }
  return found
}

async function namesIn(folder: string, work: FileWork): Promise<Awaited<ReturnType<FileWork['list']>>> {
  try {
    return await work.list(folder)
  } catch (error) {
    throw errorOf(folder, error)
  }
}

async function statOf(path: string, work: FileWork): Promise<Awaited<ReturnType<FileWork['stat']>>> {
  try {
    return await work.stat(path)
  } catch (error) {
    throw errorOf(path, error)
  }
}

function kindOf(mode: number): FolderEntry['kind'] {
  const format = mode & constants.S_IFMT
  return format === constants.S_IFDIR ? 'folder' : format === constants.S_IFLNK ? 'link' : 'file'
}
