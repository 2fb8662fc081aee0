import fs from 'node:fs'
import path from 'node:path'
import { contains, foldersBetween } from './paths.ts'

/** What a permission to write names, and where that is. */
export interface WritablePlace {
  readonly asked: string
  readonly path: string
}

/**
 * A link on the way from `root` to `asked` that lies where its plugin may write: the plugin may have put or moved it
 * there, to be granted at its next start what it leads to. Null where there is none, or it leads to what may be written
 * without it.
 */
export function plantedLink(
  { asked, path: canonical }: WritablePlace,
  root: string,
  writable: readonly WritablePlace[],
): string | null {
  if (asked === canonical || asked === root) return null
  const direct = writable.filter((place) => place.asked === place.path)
  if (direct.some((place) => contains(place.path, canonical))) return null
  const isPlanted = (step: string): boolean => {
    if (fs.lstatSync(step, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return false
    const folder = fs.realpathSync(path.dirname(step))
    return writable.some((place) => contains(place.path, folder))
  }
  return [...foldersBetween(root, asked), asked].find(isPlanted) ?? null
}
