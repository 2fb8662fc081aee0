import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FolderWatch } from './folder-watch.ts'
import { isFolder, isOwnEnd, realPathOf } from './paths.ts'
import { PluginFolder } from './plugin-folder.ts'
import { Settler } from './settler.ts'
import type { WatchContext } from './watch-context.ts'
import { isGone, watchLimitOf } from './watch-problem.ts'

/** Folders between two turns of the event loop: about 2 ms. */
const FOLDERS_PER_TURN = 128

/**
 * One plugin directory: its folders come and go, and so may it itself. Beside it the nearest folder above that
 * exists is watched (the anchor): it tells when the directory is deleted, swapped or comes back.
 */
export class PluginRoot {
  readonly #path: string
  readonly #context: WatchContext
  readonly #settler: Settler
  /** By the name it has here. */
  readonly #folders = new Map<string, PluginFolder>()
  /** The real path, while there is one. */
  #real: string | null = null
  #own: FolderWatch | null = null
  #anchor: FolderWatch | null = null
  #anchorPath = ''
  /** The watches may be those of a folder that is gone. */
  #isStale = true
  #isClosed = false

  /** @param path absolute */
  constructor(path: string, context: WatchContext) {
    const { debounceMs, maxWaitMs } = context
    this.#path = path
    this.#context = context
    this.#settler = new Settler({ quietMs: debounceMs, maxWaitMs, run: () => this.#rescan() })
  }

  /** What is there already is known, not added. */
  async open(): Promise<void> {
    this.#renewWatches()
    let count = 0
    for (const name of this.#list() ?? []) {
      this.#addFolder(name)?.adopt()
      count += 1
      if (count % FOLDERS_PER_TURN === 0) await nextTurn()
      if (this.#isClosed) return
    }
  }

  /** The folders are closed by whoever keeps them all. */
  close(): void {
    this.#isClosed = true
    this.#settler.close()
    this.#own?.close()
    this.#anchor?.close()
  }

  /** Compares the whole listing: an event without a name, or a kernel queue that ran over, hides what happened. */
  #rescan(): void {
    const isOther = this.#renewWatches()
    const listed = this.#list()
    if (listed === null) return
    const names = new Set(listed)
    for (const [name, folder] of this.#folders) {
      if (isOther) folder.renew()
      else if (!names.has(name)) folder.touch()
    }
    for (const name of listed) this.#addFolder(name)?.renew()
  }

  /** True where the directory is, or may be, another one than before. */
  #renewWatches(): boolean {
    const wasStale = this.#isStale
    this.#isStale = false
    const above = nearestAbove(this.#path)
    // The anchor first: a directory that is made just now is seen either by it or by what follows.
    if (wasStale || above !== this.#anchorPath) this.#watchAnchor(above)
    const real = realPathOf(this.#path)
    const isOther = wasStale || real !== this.#real
    if (isOther) this.#watchOwn(real)
    if (nearestAbove(this.#path) !== above) this.#settler.touch()
    return isOther
  }

  #watchAnchor(above: string): void {
    const next = relative(above, this.#path).split(sep)[0] ?? ''
    this.#anchor?.close()
    this.#anchorPath = above
    this.#anchor = FolderWatch.open({
      directory: above,
      polledNames: [next],
      pollIntervalMs: this.#context.pollIntervalMs,
      onEvent: (kind, name) => {
        if (kind === 'rename' && (name === null || name === next || isOwnEnd(above, name))) this.#suspectAll()
      },
      // A folder above that may not be read is no fault: what is polled in its place suffices.
      onProblem: (error) => {
        if (watchLimitOf(error) !== null) this.#context.problem(above, error)
      },
    })
  }

  #watchOwn(real: string | null): void {
    this.#own?.close()
    this.#own = null
    this.#real = real
    if (real === null) return
    this.#own = FolderWatch.open({
      directory: real,
      polledNames: [],
      pollIntervalMs: this.#context.pollIntervalMs,
      onEvent: (kind, name) => {
        if (name === null) this.#settler.touch()
        else if (kind === 'rename' && isOwnEnd(real, name)) this.#suspectAll()
        else if (kind === 'rename') this.#onListChange(name)
      },
      onProblem: (error) => this.#context.problem(real, error),
    })
  }

  #suspectAll(): void {
    this.#isStale = true
    this.#settler.touch()
  }

  /** At once: what is written into a new folder meanwhile must be seen. */
  #onListChange(name: string): void {
    const folder = this.#folders.get(name) ?? this.#addFolder(name)
    folder?.renew()
    this.#settler.touch()
  }

  /** Null for what is no folder of its own, or is known. */
  #addFolder(name: string): PluginFolder | null {
    const real = this.#real
    const { folders } = this.#context
    if (real === null || this.#folders.has(name) || !isPluginName(name)) return null
    const directory = directoryOf(real, name)
    if (directory === null || folders.has(directory)) return null
    const folder = new PluginFolder({
      directory,
      context: this.#context,
      isListed: () => this.#real !== null && directoryOf(this.#real, name) === directory,
      onGone: () => {
        folders.delete(directory)
        this.#folders.delete(name)
        // Another name may lead to the same place, or this name to another.
        this.#settler.touch()
      },
    })
    folders.set(directory, folder)
    this.#folders.set(name, folder)
    return folder
  }

  /** Null where it cannot be said. */
  #list(): string[] | null {
    if (this.#real === null) return []
    try {
      return readdirSync(this.#real, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
        .map((entry) => entry.name)
    } catch (error) {
      if (isGone(error)) return []
      this.#context.problem(this.#real, error)
      return null
    }
  }
}

function isPluginName(name: string): boolean {
  return !name.startsWith('.') && name !== 'node_modules'
}

/**
 * The directory by which the registry knows the folder of this name: the real one, but a link that leaves the
 * plugin directory by its own. Null for what is no folder, and for a link to what is listed anyway.
 */
function directoryOf(root: string, name: string): string | null {
  const place = join(root, name)
  try {
    if (lstatSync(place).isDirectory()) return place
    const target = realpathSync.native(place)
    if (!statSync(target).isDirectory() || target === root) return null
    if (dirname(target) === root && isPluginName(basename(target))) return null
    return target.startsWith(root + sep) ? target : place
  } catch {
    return null
  }
}

function nearestAbove(path: string): string {
  let above = dirname(path)
  while (above !== dirname(above) && !isFolder(above)) above = dirname(above)
  return above
}
