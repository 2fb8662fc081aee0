import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { isInside } from '../registry/read-inside.ts'
import { errorOf, folderChanged } from './snapshot-error.ts'
import type { FileWork } from './snapshot-files.ts'
import type { FolderEntry } from './snapshot-listing.ts'

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

export interface CopyTask {
  readonly root: string
  readonly entries: readonly FolderEntry[]
  readonly target: string
  /** What a file is copied as; null where it is copied as it is. */
  readonly convert: ((path: string) => ((source: string) => string) | null) | null
  /** Told where the half copy lies: a thread that is ended cannot remove it. */
  readonly onDraft: (draft: string) => void
}

/** Whole or not at all: another daemon may be making the same copy. */
export async function copyFolder(task: CopyTask, work: FileWork): Promise<void> {
  const { root, entries, target } = task
  let draft: string | null = null
  try {
    await work.makeFolder(dirname(target), { recursive: true, mode: 0o711 })
    draft = await work.makeDraft(`${target}-`)
    task.onDraft(draft)
    for (const entry of entries)
      if (entry.path !== '') await copyEntry(entry, join(draft, entry.path), task, work)
    // What others may not list or enter, they may not in the copy; its owner must be able to remove it.
    for (const { kind, path, mode } of entries)
      if (kind === 'folder') await work.setMode(join(draft, path), mode | 0o700)
    if (!(await work.exists(target))) await work.rename(draft, target)
  } catch (error) {
    throw errorOf(root, error)
  } finally {
    if (draft !== null) await work.remove(draft)
  }
}

async function copyEntry(entry: FolderEntry, to: string, task: CopyTask, work: FileWork): Promise<void> {
  const from = join(task.root, entry.path)
  try {
    if (entry.kind === 'folder') await work.makeFolder(to, { mode: 0o700 })
    else if (entry.kind === 'link') await work.link(await work.readLink(from), to)
    else await copyFile(from, { to, mode: entry.mode, task }, work)
  } catch (error) {
    throw errorOf(from, error)
  }
}

/**
 * By descriptor: the folder's owner may put a link in a file's place at any moment, and a root daemon would copy what
 * it leads to. What others may not read, they may not read of the copy either.
 */
async function copyFile(
  from: string,
  { to, mode, task }: { to: string; mode: number; task: CopyTask },
  work: FileWork,
): Promise<void> {
  const file = await work.open(from, OPEN_FLAGS)
  try {
    const held = `/proc/self/fd/${file.fd}`
    if (!(await file.isFile()) || !isInside(task.root, await work.readLink(held))) throw folderChanged(from)
    const convert = task.convert?.(from) ?? null
    if (convert === null) await work.copy(held, to)
    else await work.write(to, convert(await file.readText()), mode)
    await work.setMode(to, mode)
  } finally {
    await file.close()
  }
}
