import { lstatSync, opendirSync } from 'node:fs'
import { join } from 'node:path'

/** Entries looked at, so that folders of millions cost a moment. */
const MAX_ENTRIES = 1_000

/**
 * The size of the largest file below these folders, or of the first that has so many bytes. No link is followed. What
 * lies beyond the bound is not seen.
 */
export function largestFile(folders: readonly string[], enoughBytes: number): number {
  const waiting = [...folders]
  let largest = 0
  let left = MAX_ENTRIES
  for (let folder = waiting.shift(); folder !== undefined && left > 0; folder = waiting.shift()) {
    for (const { path, isFolder } of entriesOf(folder, left)) {
      left -= 1
      if (isFolder) waiting.push(path)
      else largest = Math.max(largest, sizeOf(path))
      if (largest >= enoughBytes) return largest
    }
  }
  return largest
}

function entriesOf(folder: string, most: number): { path: string; isFolder: boolean }[] {
  const found: { path: string; isFolder: boolean }[] = []
  try {
    const directory = opendirSync(folder)
    try {
      for (
        let entry = directory.readSync();
        entry !== null && found.length < most;
        entry = directory.readSync()
      )
        found.push({ path: join(folder, entry.name), isFolder: entry.isDirectory() })
    } finally {
      directory.closeSync()
    }
  } catch {
    // ENOTDIR: a grant of one file. Or it is gone, or closed to us: it has nothing to tell.
    return [{ path: folder, isFolder: false }]
  }
  return found
}

function sizeOf(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true ? found.size : 0
}
