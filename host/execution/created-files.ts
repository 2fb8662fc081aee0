import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Entries looked at and files named at the most, so that a folder of millions costs a call a bounded time. */
const MAX_ENTRIES = 20_000
const MAX_NAMED = 1_000
/** A file is born at the kernel's coarse time, which may be a tick behind ours (10 ms at 100 Hz). */
const TICK_MS = 10
/** For so long, what was reported once is known again. */
const REMEMBERED_MS = 10 * TICK_MS

/** The files that calls of one instance's life brought into being, each named once. */
export class CreatedFiles {
  /** Births by identity, of files that were reported a moment ago. */
  readonly #reported = new Map<string, number>()

  /**
   * Files below `roots` whose birth (statx(2) `stx_btime`) is not older than `sinceEpochMs`. Symbolic links are not
   * followed. `complete` is false when a bound ended the search.
   */
  async find(
    roots: readonly string[],
    sinceEpochMs: number,
  ): Promise<{ files: string[]; complete: boolean }> {
    for (const [identity, bornMs] of this.#reported) {
      if (bornMs < sinceEpochMs - REMEMBERED_MS) this.#reported.delete(identity)
    }
    const files: string[] = []
    const folders = [...roots]
    let seen = 0
    while (folders.length > 0) {
      for await (const entry of entriesOf(folders.pop()!)) {
        seen += 1
        if (seen > MAX_ENTRIES || files.length >= MAX_NAMED) return { files, complete: false }
        const path = join(entry.parentPath, entry.name)
        if (entry.isDirectory()) folders.push(path)
        else if (entry.isFile() && (await this.#isNew(path, sinceEpochMs - TICK_MS))) files.push(path)
      }
    }
    return { files: files.toSorted(), complete: true }
  }

  async #isNew(path: string, sinceEpochMs: number): Promise<boolean> {
    const found = await stat(path).catch(() => null)
    if (found === null || found.birthtimeMs < sinceEpochMs) return false
    const identity = `${found.dev}:${found.ino}:${found.birthtimeMs}`
    if (this.#reported.has(identity)) return false
    this.#reported.set(identity, found.birthtimeMs)
    return true
  }
}

/** A folder that is gone or closed to us has nothing to report. */
async function* entriesOf(folder: string) {
  try {
    yield* await opendir(folder)
  } catch {
    // ENOENT, EACCES, ENOTDIR (the grant is a file): nothing was created here that we could name.
  }
}
