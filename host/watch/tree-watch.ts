import { FSWatcher } from 'chokidar'
import { relative, sep } from 'node:path'
import { isIgnoredPath } from './ignored-path.ts'
import { watchLimitOf } from './watch-problem.ts'

export interface TreeWatchOptions {
  /** A real path: chokidar is told to follow no links. */
  directory: string
  pollIntervalMs: number
  onEvent: () => void
  onProblem: (error: unknown) => void
}

/** Every file of a folder, by chokidar; polled where the kernel has no watches left. */
export class TreeWatch {
  readonly #options: TreeWatchOptions
  readonly #ready = Promise.withResolvers<void>()
  #watcher: FSWatcher
  #isPolled = false
  #isReady = false
  #isClosed = false

  constructor(options: TreeWatchOptions) {
    this.#options = options
    this.#watcher = this.#open(false)
  }

  /** Settles when every file is watched, or the watch is closed. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#ready.resolve()
    await this.#watcher.close()
  }

  #open(isPolled: boolean): FSWatcher {
    const { directory, pollIntervalMs, onEvent } = this.#options
    const watcher = new FSWatcher({
      ignoreInitial: true,
      followSymlinks: false,
      // Our own list of editors' files is applied below; chokidar's holds removals back to guess at renames.
      atomic: false,
      ignored: (path) => this.#isIgnored(path),
      ...(isPolled
        ? {
            backend: 'polling' as const,
            pollingInterval: pollIntervalMs,
            pollingBinaryInterval: pollIntervalMs,
          }
        : {}),
    })
    watcher.on('all', onEvent)
    watcher.on('error', (error) => this.#fail(error))
    watcher.once('ready', () => {
      this.#isReady = true
      this.#ready.resolve()
    })
    watcher.add(directory)
    return watcher
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return
    this.#options.onProblem(error)
    if (this.#isPolled || watchLimitOf(error) === null) return
    this.#isPolled = true
    const full = this.#watcher
    this.#watcher = this.#open(true)
    // Whatever changed in between was seen by neither; before it was ready nothing was promised.
    if (this.#isReady) this.#watcher.once('ready', this.#options.onEvent)
    full.close().catch(this.#options.onProblem)
  }

  #isIgnored(path: string): boolean {
    const inside = relative(this.#options.directory, path)
    // chokidar waits for a folder that is gone by watching those above, and asks about them, too.
    if (inside === '..' || inside.startsWith(`..${sep}`)) return false
    return isIgnoredPath(inside.replaceAll(sep, '/'))
  }
}
