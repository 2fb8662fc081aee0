import { dirname, extname } from 'node:path'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { Access } from '../denials/access.ts'
import { isPrivate, type Reach } from '../denials/denial.ts'
import { contains, outermost } from '../sandbox/paths.ts'
import { foldPaths } from './fold-paths.ts'

/** What a path is on the host. */
export type Look = (path: string) => 'file' | 'folder' | null

export interface LearnedFiles {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly notes: readonly string[]
}

/** The paths that a plugin would have to be granted for what it read and wrote. */
export function learnFiles(accesses: readonly Access[], reach: Reach, look: Look): LearnedFiles {
  const reads = pathsOf(accesses, 'fs_read').filter((path) => !isOwn(path, reach))
  const written = pathsOf(accesses, 'fs_write').filter((path) => !isOwn(path, reach))
  const all = [...reads, ...written]
  const targets = written.map((path) => writableFor(path, all, { reach, look }))
  const writes = foldPaths(
    targets.flatMap((target) => target ?? []),
    reach.workspace,
  )
  const present = reads.filter((path) => look(path) !== null)
  const missing = reads.filter((path) => look(path) === null && !writes.some((root) => contains(root, path)))
  return {
    reads: outermost(foldPaths(present, reach.workspace), writes),
    writes,
    notes: [
      ...missing.map((path) => `${quoteText(path)} was looked for and is not there`),
      ...written
        .filter((_, index) => targets[index] === null)
        .map(
          (path) =>
            `${quoteText(path)} was to be written: make its folder first, outside the workspace the host makes none`,
        ),
    ],
  }
}

function pathsOf(accesses: readonly Access[], kind: 'fs_read' | 'fs_write'): string[] {
  return accesses.flatMap((access) => (access.kind === kind ? [access.path] : []))
}

/** What every plugin has, and what no permission could add to: its own folder, its data, the private folders. */
function isOwn(path: string, reach: Reach): boolean {
  return contains(reach.pluginDir, path) || contains(reach.dataDir, path) || isPrivate(path, reach)
}

/**
 * A right for what is there names it. For what is not, a right makes folders: the folder that a file would come to
 * lie in. Whether a folder or a file was to be made nobody tells; one with something below it, or without an ending
 * to its name, is taken for a folder. Null for what no right could make.
 */
function writableFor(
  path: string,
  all: readonly string[],
  { reach, look }: { reach: Reach; look: Look },
): string | null {
  if (look(path) !== null) return path
  const parent = dirname(path)
  if (!contains(reach.workspace, path)) return look(parent) === null ? null : parent
  const isFolder = extname(path) === '' || all.some((other) => other !== path && contains(path, other))
  return isFolder ? path : parent
}
