import { isAbsolute, relative, resolve, sep } from 'node:path'
import { isFolder, realPathOf } from './paths.ts'
import { PluginFolder } from './plugin-folder.ts'
import { PluginRoot } from './plugin-root.ts'
import type { FolderReport, WatchContext } from './watch-context.ts'
import { watchLimitOf, watchProblem, type WatchLimit } from './watch-problem.ts'

const DEBOUNCE_MS = 100
const MAX_WAIT_MS = 2_000
/** Polling is the worse half: 5,000 plugins are 10,000 files to look at each time. */
const POLL_INTERVAL_MS = 2_000

export interface PluginWatcherOptions {
  pluginDirectories: readonly string[]
  /** A report comes when a folder was quiet for so long. */
  debounceMs?: number
  /** A folder that is never quiet is reported after so long. */
  maxWaitMs?: number
  /** Where the kernel has no watches left. */
  pollIntervalMs?: number
  /** The next report for a folder waits until the promise settles; so do these three. */
  onChanged: (directory: string) => Promise<void> | void
  onAdded: (directory: string) => Promise<void> | void
  onRemoved: (directory: string) => Promise<void> | void
  /** A warning: what could not be watched by the kernel and is polled, or what a callback threw. */
  onError: (error: unknown) => void
}

/**
 * Tells which plugin folders changed, came and went. A plugin is a folder with a `plugin.toml` in a plugin
 * directory; it is reported by the directory that the registry knows it by. Every plugin is watched lightly, by
 * its manifest and the files that {@link setLightFiles} names; one that runs should be watched deeply.
 *
 * To miss nothing, start the watcher before the plugins are read, and watch deeply before the code is.
 */
export class PluginWatcher {
  readonly #options: PluginWatcherOptions
  readonly #roots: PluginRoot[]
  readonly #context: WatchContext
  readonly #closing = new Set<Promise<void>>()
  readonly #warned = new Set<WatchLimit>()
  #isClosed = false

  constructor(options: PluginWatcherOptions) {
    this.#options = options
    this.#context = {
      debounceMs: options.debounceMs ?? DEBOUNCE_MS,
      maxWaitMs: options.maxWaitMs ?? MAX_WAIT_MS,
      pollIntervalMs: options.pollIntervalMs ?? POLL_INTERVAL_MS,
      folders: new Map(),
      report: (report, directory) => this.#report(report, directory),
      problem: (directory, error) => this.#warn(directory, error),
      closing: (work) => this.#keep(work),
    }
    const paths = new Set(options.pluginDirectories.map((path) => resolve(path)))
    this.#roots = [...paths].map((path) => new PluginRoot(path, this.#context))
  }

  /** Settles when every folder is watched. What is there by then is known, and not reported as added. */
  async start(): Promise<void> {
    for (const root of this.#roots) if (!this.#isClosed) await root.open()
  }

  /** Watches every file of the folder. Settles when that holds; until then a change may be missed. */
  async watchDeeply(directory: string): Promise<void> {
    await this.#folderOf(directory)?.setDepth('deep')
  }

  /** Goes back to the manifest and the files of {@link setLightFiles}. */
  watchLightly(directory: string): void {
    void this.#folderOf(directory)?.setDepth('light')
  }

  /** @param files besides the manifest, absolute or relative to the folder; they need not exist yet */
  setLightFiles(directory: string, files: readonly string[]): void {
    const inside = files
      .map((file) => relative(directory, resolve(directory, file)))
      .filter((file) => file !== '' && file !== '..' && !file.startsWith(`..${sep}`) && !isAbsolute(file))
    this.#folderOf(directory)?.setFiles(inside)
  }

  /** Reports nothing more of the folder until it is watched again, or is removed and comes back. */
  forget(directory: string): void {
    void this.#find(directory)?.setDepth('off')
  }

  /** A report under way is not waited for; none begins after it. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const root of this.#roots) root.close()
    for (const folder of this.#context.folders.values()) folder.close()
    this.#context.folders.clear()
    await Promise.all(this.#closing)
  }

  #find(directory: string): PluginFolder | undefined {
    const { folders } = this.#context
    return folders.get(resolve(directory)) ?? folders.get(realPathOf(directory) ?? '')
  }

  /** A folder outside of the plugin directories is watched for itself. */
  #folderOf(directory: string): PluginFolder | undefined {
    const known = this.#find(directory)
    if (known !== undefined || this.#isClosed || !isFolder(directory)) return known
    const own = resolve(directory)
    const { folders } = this.#context
    const folder = new PluginFolder({
      directory: own,
      context: this.#context,
      isListed: () => isFolder(own),
      onGone: () => folders.delete(own),
    })
    folders.set(own, folder)
    folder.adopt()
    return folder
  }

  async #report(report: FolderReport, directory: string): Promise<void> {
    const { onAdded, onChanged, onRemoved, onError } = this.#options
    const callback = { added: onAdded, changed: onChanged, removed: onRemoved }[report]
    try {
      await callback(directory)
    } catch (error) {
      onError(error)
    }
  }

  /** A limit that is met is met by all that come after: once is enough. */
  #warn(directory: string, error: unknown): void {
    const limit = watchLimitOf(error)
    if (this.#isClosed || (limit !== null && this.#warned.has(limit))) return
    if (limit !== null) this.#warned.add(limit)
    this.#options.onError(watchProblem(directory, error, this.#context.pollIntervalMs))
  }

  #keep(work: Promise<void>): void {
    const kept = work
      .catch((error: unknown) => this.#options.onError(error))
      .finally(() => this.#closing.delete(kept))
    this.#closing.add(kept)
  }
}
