import { lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Null for what does not exist, or where this process may not look. */
export function realPathOf(path: string): string | null {
  try {
    return realpathSync.native(path)
  } catch {
    return null
  }
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/**
 * inotify tells the end of a watched folder, or that it was moved away, as an event of the folder's own name.
 * Where a file of that name lies inside, the event may be that file's, and the folder above tells the rest.
 */
export function isOwnEnd(folder: string, name: string): boolean {
  return basename(folder) === name && !exists(join(folder, name))
}

export function exists(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch {
    return false
  }
}
