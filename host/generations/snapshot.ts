import { extname, join } from 'node:path'
import { copyFolder } from './snapshot-copy.ts'
import { twice } from './snapshot-error.ts'
import { LATER } from './snapshot-files.ts'
import { listFolder } from './snapshot-listing.ts'
import type { Snapshot, SnapshotTask } from './snapshot-task.ts'
import { takeInThread } from './snapshot-thread.ts'
import { SOURCE_NAMES } from './source-names.ts'

/** What is copied sooner than a thread starts. */
const SMALL = { maxEntries: 50, maxBytes: 1024 * 1024 }

/**
 * Copies a plugin's folder, so that a generation runs what it was made from whatever becomes of the files, and can
 * come back. TypeScript has its types stripped on the way, its file names kept: a runner that strips for itself starts
 * two and a half times slower and holds three times the memory. Kept by the digest of what it was made from.
 *
 * @param entryPoint null for a plugin that is no JavaScript: its files are copied as they are
 * @throws PhantomError PLUGIN_START_FAILED for syntax that cannot be stripped (enum, namespace, parameter property),
 * and for files that cannot be read
 */
export async function takeSnapshot(
  directory: string,
  entryPoint: string | null,
  cacheDirectory: string,
): Promise<Snapshot> {
  const task = {
    directory,
    cacheDirectory,
    isTypeScript: entryPoint !== null && SOURCE_NAMES.has(extname(entryPoint)),
  }
  return (await twice(() => takeSmall(task))) ?? (await takeInThread(task))
}

/** Null where that is work for a thread. */
async function takeSmall({
  directory,
  cacheDirectory,
  isTypeScript,
}: SnapshotTask): Promise<Snapshot | null> {
  const { entries, digest, changedAtMs, excess } = await listFolder(directory, LATER, SMALL)
  if (excess !== null) return null
  const target = join(cacheDirectory, digest)
  if (!(await LATER.exists(target))) {
    if (isTypeScript) return null
    const copy = { root: directory, entries, target, convert: null, onDraft: () => undefined }
    await copyFolder(copy, LATER)
  }
  return { directory: target, digest, changedAtMs, notice: null }
}
