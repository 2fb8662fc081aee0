import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { FolderWatch } from './folder-watch.ts'
import { isOwnEnd, realPathOf } from './paths.ts'
import { Settler } from './settler.ts'
import { TreeWatch } from './tree-watch.ts'
import type { WatchContext } from './watch-context.ts'
import { isGone } from './watch-problem.ts'

const MANIFEST_FILE = 'plugin.toml'

export type WatchDepth = 'deep' | 'light' | 'off'

export interface PluginFolderOptions {
  /** As it is reported. */
  directory: string
  context: WatchContext
  /** Whether this directory still is what its plugin directory lists. */
  isListed: () => boolean
  /** It went, and nothing more is to come. */
  onGone: () => void
}

/**
 * One folder that is or may become a plugin. Events only say that something happened: what is reported follows
 * from what stands on disk once they are quiet. So a file saved by renaming, or a folder swapped for another, is
 * one change. File calls are synchronous: a few microseconds each on a folder that `fs.watch` looks up
 * synchronously anyway, and nothing can happen between them.
 */
export class PluginFolder {
  readonly #options: PluginFolderOptions
  readonly #settler: Settler
  /** By the path below the folder; '' is the folder itself. */
  readonly #watches = new Map<string, FolderWatch>()
  #files: readonly string[] = []
  #tree: TreeWatch | null = null
  #depth: WatchDepth = 'light'
  #isPlugin = false
  /** Its manifest went, and the folder stayed. */
  #isLeftOver = false

  constructor(options: PluginFolderOptions) {
    const { debounceMs, maxWaitMs } = options.context
    this.#options = options
    this.#settler = new Settler({ quietMs: debounceMs, maxWaitMs, run: () => this.#settle() })
  }

  /** Begins to watch what already is known: no report. */
  adopt(): void {
    this.#rewatch()
    this.#isPlugin = hasManifest(this.#options.directory)
  }

  /** Watches the folder anew, for another may have taken its place, and looks what became of it. */
  renew(): void {
    this.#rewatch()
    this.touch()
  }

  touch(): void {
    this.#settler.touch()
  }

  /** Settles when the new depth holds. */
  async setDepth(depth: WatchDepth): Promise<void> {
    if (depth !== this.#depth) {
      // Nothing was seen meanwhile.
      if (this.#depth === 'off') this.#isPlugin = hasManifest(this.#options.directory)
      this.#depth = depth
      this.#watchFolders()
      this.#watchTree()
    }
    await this.#tree?.ready
  }

  /** @param files below the folder, with `/` */
  setFiles(files: readonly string[]): void {
    this.#files = files
    // Polled folders are polled by name.
    for (const [relative, watch] of this.#watches) if (watch.isPolled) this.#unwatch(relative)
    this.#watchFolders()
  }

  #rewatch(): void {
    for (const relative of this.#watches.keys()) this.#unwatch(relative)
    this.#closeTree()
    this.#watchFolders()
    this.#watchTree()
  }

  close(): void {
    this.#settler.close()
    this.#depth = 'off'
    for (const relative of this.#watches.keys()) this.#unwatch(relative)
    this.#closeTree()
  }

  async #settle(): Promise<void> {
    const { directory, context, isListed, onGone } = this.#options
    const wasPlugin = this.#isPlugin
    const isThere = isListed()
    this.#isPlugin = isThere && hasManifest(directory)
    if (wasPlugin && !this.#isPlugin) this.#forgetPlugin()
    if (this.#depth !== 'off') {
      if (this.#isPlugin) await context.report(wasPlugin ? 'changed' : 'added', directory)
      else if (wasPlugin || (this.#isLeftOver && !isThere)) await context.report('removed', directory)
    }
    if (this.#isPlugin) this.#isLeftOver = false
    else if (wasPlugin) this.#isLeftOver = isThere
    if (!isThere && !this.#settler.isPending) {
      this.close()
      onGone()
    }
  }

  /** What comes back is another plugin: whoever hears of it says again how to watch it. */
  #forgetPlugin(): void {
    this.#files = []
    if (this.#depth === 'deep') this.#depth = 'light'
    this.#closeTree()
    this.#watchFolders()
  }

  #watchFolders(): void {
    const wanted = this.#depth === 'off' ? [] : ['', ...foldersOf(this.#files)]
    for (const relative of this.#watches.keys()) if (!wanted.includes(relative)) this.#unwatch(relative)
    const base = wanted.length === 0 ? null : realPathOf(this.#options.directory)
    if (base === null) return
    for (const relative of wanted) if (!this.#watches.has(relative)) this.#watchFolder(base, relative)
  }

  #watchFolder(base: string, relative: string): void {
    const { context, directory } = this.#options
    const path = join(base, relative)
    // A link inside the folder leads to what is not the plugin's.
    if (relative !== '' && realPathOf(path) !== path) return
    const watch = FolderWatch.open({
      directory: path,
      polledNames: this.#namesIn(relative),
      pollIntervalMs: context.pollIntervalMs,
      onEvent: (kind, name) => this.#onEvent({ relative, path, kind, name }),
      onProblem: (error) => context.problem(directory, error),
    })
    if (watch !== null) this.#watches.set(relative, watch)
  }

  #onEvent({ relative, path, kind, name }: FolderEvent): void {
    if (name === null || (kind === 'rename' && isOwnEnd(path, name))) return this.renew()
    const file = relative === '' ? name : `${relative}/${name}`
    if (this.#isWanted(file)) {
      if (kind === 'rename' && foldersOf(this.#files).includes(file)) this.#rewatch()
      this.touch()
    } else if (!this.#isPlugin && this.#settler.isPending) {
      // A folder that is still being filled is not reported before it is whole.
      this.touch()
    }
  }

  #isWanted(path: string): boolean {
    return path === MANIFEST_FILE || this.#files.some((file) => file === path || file.startsWith(`${path}/`))
  }

  #namesIn(relative: string): string[] {
    const prefix = relative === '' ? '' : `${relative}/`
    const below = this.#files
      .filter((file) => file.startsWith(prefix))
      .map((file) => file.slice(prefix.length).split('/')[0] ?? '')
    return [...new Set(relative === '' ? [MANIFEST_FILE, ...below] : below)]
  }

  #unwatch(relative: string): void {
    this.#watches.get(relative)?.close()
    this.#watches.delete(relative)
  }

  #watchTree(): void {
    if (this.#depth !== 'deep') return this.#closeTree()
    const { context, directory } = this.#options
    const base = realPathOf(directory)
    if (base === null || this.#tree !== null) return
    this.#tree = new TreeWatch({
      directory: base,
      pollIntervalMs: context.pollIntervalMs,
      onEvent: () => this.touch(),
      onProblem: (error) => context.problem(directory, error),
    })
  }

  #closeTree(): void {
    if (this.#tree !== null) this.#options.context.closing(this.#tree.close())
    this.#tree = null
  }
}

interface FolderEvent {
  /** Of the folder whose watch tells it, below the plugin's. */
  relative: string
  path: string
  kind: 'rename' | 'change'
  name: string | null
}

/** The folders on the way to the files: `a/b/c.js` has `a` and `a/b`. */
function foldersOf(files: readonly string[]): string[] {
  const folders = new Set<string>()
  for (const file of files) {
    for (let end = file.indexOf('/'); end > 0; end = file.indexOf('/', end + 1))
      folders.add(file.slice(0, end))
  }
  return [...folders]
}

/** Also true where that cannot be seen: whoever reads the manifest then learns why. */
function hasManifest(directory: string): boolean {
  try {
    lstatSync(join(directory, MANIFEST_FILE))
    return true
  } catch (error) {
    return !isGone(error)
  }
}
