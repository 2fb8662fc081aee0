import fs from 'node:fs'
import path from 'node:path'

/** Whether `inner` is `outer` or lies below it. Both absolute and normalized. */
export function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`)
}

/** Folders strictly between two paths of which the first contains the second, the outermost first. */
export function foldersBetween(outer: string, inner: string): string[] {
  const folders: string[] = []
  for (let at = path.dirname(inner); at !== outer && contains(outer, at); at = path.dirname(at)) {
    folders.unshift(at)
  }
  return folders
}

/** The folders above a path, outermost first, without `/`. */
export function ancestors(target: string): string[] {
  return foldersBetween('/', target)
}

/** Drops every path that lies inside another of the list, or inside one of `alsoInside`. */
export function outermost(paths: readonly string[], alsoInside: readonly string[] = []): string[] {
  const unique = [...new Set(paths)].toSorted()
  return unique.filter(
    (one) =>
      !alsoInside.some((outer) => contains(outer, one)) &&
      !unique.some((outer) => outer !== one && contains(outer, one)),
  )
}

export interface CanonicalPath {
  /** Without symbolic links as far as the path exists; what does not exist yet stands as it was written. */
  readonly path: string
  readonly exists: boolean
}

/** @throws the file system's error for anything but a missing path: no permission, a loop of links. */
export function canonicalPath(absolute: string): CanonicalPath {
  const missing: string[] = []
  for (let at = path.resolve(absolute); ; at = path.dirname(at)) {
    try {
      return { path: path.join(fs.realpathSync.native(at), ...missing), exists: missing.length === 0 }
    } catch (error) {
      // A dangling link exists without leading anywhere: what it would make is not for us to guess.
      if (!isMissing(error) || at === '/' || isLink(at)) throw error
      missing.unshift(path.basename(at))
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function isLink(at: string): boolean {
  return fs.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true
}
