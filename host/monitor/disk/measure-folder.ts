import { closeSync, constants, lstatSync, opendirSync, openSync, type Dir, type Stats } from 'node:fs'

/** A file or folder costs an inode and a name, whatever it holds: so a limit of bytes is one of files, too. */
const LEAST_ENTRY_BYTES = 4096
const BLOCK_BYTES = 512
const READ_AT_ONCE = 256
/** Each level holds a descriptor while it is walked. */
const MAX_DEPTH = 64
/** Beyond these a folder counts as too large whatever its limit: to count them takes seconds. */
const MAX_FILES = 1_000_000

export interface FolderMeasure {
  /** On the disk, as far as it was counted: one that is over its limit is not counted to its end. */
  readonly bytes: number
  readonly files: number
  /** Why it cannot be measured, and so counts as too large; null where it can. */
  readonly problem: string | null
}

interface Walk {
  readonly limitBytes: number
  /** Files of several names count once. */
  readonly linked: Set<number>
  bytes: number
  files: number
  problem: string | null
}

/**
 * What a folder that a hostile program writes to takes up on the disk. By descriptors, so that no link and no depth
 * leads it astray; ends as soon as the limit is passed.
 */
export function measureFolder(folder: string, limitBytes: number): FolderMeasure {
  const walk: Walk = { limitBytes, linked: new Set(), bytes: 0, files: 0, problem: null }
  walkFolder(folder, walk, 0)
  const { bytes, files, problem } = walk
  return { bytes, files, problem }
}

function walkFolder(folder: string, walk: Walk, depth: number): void {
  if (depth > MAX_DEPTH) {
    walk.problem = `its folders are deeper than ${MAX_DEPTH}`
    return
  }
  const descriptor = openFolder(folder, walk)
  if (descriptor === null) return
  try {
    const directory = opendirSync(`/proc/self/fd/${descriptor}`, { bufferSize: READ_AT_ONCE })
    try {
      walkEntries(directory, `/proc/self/fd/${descriptor}`, { walk, depth })
    } finally {
      directory.closeSync()
    }
  } finally {
    closeSync(descriptor)
  }
}

function walkEntries(directory: Dir, at: string, { walk, depth }: { walk: Walk; depth: number }): void {
  for (let entry = directory.readSync(); entry !== null && !isOver(walk); entry = directory.readSync()) {
    const path = `${at}/${entry.name}`
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined || isKnown(found, walk)) continue
    walk.files += 1
    walk.bytes += Math.max(LEAST_ENTRY_BYTES, found.blocks * BLOCK_BYTES)
    if (walk.files > MAX_FILES) walk.problem = `it holds more than ${MAX_FILES} files`
    else if (found.isDirectory()) walkFolder(path, walk, depth + 1)
  }
}

function isOver({ bytes, limitBytes, problem }: Walk): boolean {
  return bytes > limitBytes || problem !== null
}

function isKnown(found: Stats, { linked }: Walk): boolean {
  if (found.nlink < 2 || found.isDirectory()) return false
  if (linked.has(found.ino)) return true
  linked.add(found.ino)
  return false
}

function openFolder(folder: string, walk: Walk): number | null {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // It went, or became something else, while it was looked at.
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP')
      walk.problem = `a folder in it cannot be looked into (${code})`
    return null
  }
}
