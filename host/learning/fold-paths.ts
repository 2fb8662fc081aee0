import { dirname } from 'node:path'
import { contains, outermost } from '../sandbox/paths.ts'

/** So many neighbours, and their folder is named instead of each. */
const NEIGHBOURS = 3
/** `/usr`, `/etc` hold too much to be named for three files in them; so does a person's home. */
const MIN_DEPTH = 2
const HOMES = /^\/(?:home\/[^/]+|root)$/

/** Fewer and wider paths that cover all of these, as a person would write them. */
export function foldPaths(paths: readonly string[], workspace: string): string[] {
  let folded = outermost(paths)
  for (;;) {
    const byFolder = Map.groupBy(folded, (path) => dirname(path))
    const crowded = [...byFolder].find(
      ([folder, inside]) => inside.length >= NEIGHBOURS && mayName(folder, workspace),
    )
    if (crowded === undefined) return folded
    folded = outermost([...folded, crowded[0]])
  }
}

function mayName(folder: string, workspace: string): boolean {
  if (contains(folder, workspace)) return false
  if (contains(workspace, folder)) return true
  return folder.split('/').length > MIN_DEPTH && !HOMES.test(folder)
}
