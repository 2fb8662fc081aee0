import { unwatchFile, watchFile } from 'node:fs'

/**
 * A few files at most are looked at, by their status and not by inotify: that sees a file written, renamed over,
 * removed and made again, its folder replaced, and a link on its way turned elsewhere, and never runs out of watches.
 */
const POLL_INTERVAL_MS = 1000

export interface FileFollowerOptions {
  readonly debounceMs: () => number
  /** Something about one of them changed, some time ago. */
  readonly onChanged: () => void
}

/** Tells when one of a user's files changes. Keeps no process alive. */
export class FileFollower {
  readonly #options: FileFollowerOptions
  #followed: readonly string[] = []
  #debounce: NodeJS.Timeout | null = null
  /** One function for all files, so that `unwatchFile` takes away ours alone. */
  readonly #fileChanged = (): void => {
    if (this.#debounce !== null) clearTimeout(this.#debounce)
    this.#debounce = setTimeout(this.#options.onChanged, this.#options.debounceMs()).unref()
  }

  constructor(options: FileFollowerOptions) {
    this.#options = options
  }

  /** From now on these, and no others. */
  follow(files: readonly string[], intervalMs = POLL_INTERVAL_MS): void {
    if (files.length === this.#followed.length) return
    for (const file of this.#followed) unwatchFile(file, this.#fileChanged)
    for (const file of files) watchFile(file, { interval: intervalMs, persistent: false }, this.#fileChanged)
    this.#followed = files
    // What changed since it was last read, before the watching began, would be taken for the old state.
    if (files.length > 0) this.#fileChanged()
    else if (this.#debounce !== null) clearTimeout(this.#debounce)
  }
}
