import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { PluginWatcher, type PluginWatcherOptions } from '../../host/watch/plugin-watcher.ts'
import { until } from '../helpers/daemon.ts'

export const DEBOUNCE_MS = 40
const SENTINEL = 'sentinel'

/** Plugin directories in one temporary folder, each with the plugins `one` and `sentinel`, and their watchers. */
export class WatchedFolders {
  readonly base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-watch-')))
  readonly #opened: WatchedRoot[] = []
  #count = 0

  async open(options: Partial<PluginWatcherOptions> = {}): Promise<WatchedRoot> {
    const root = path.join(this.base, `plugins-${(this.#count += 1)}`)
    for (const name of ['one', SENTINEL]) makePlugin(path.join(root, name))
    const watched = new WatchedRoot(root, options)
    this.#opened.push(watched)
    await watched.watcher.start()
    return watched
  }

  async closeWatchers(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map(({ watcher }) => watcher.close()))
  }

  remove(): void {
    fs.rmSync(this.base, { recursive: true, force: true })
  }
}

export class WatchedRoot {
  readonly root: string
  readonly one: string
  readonly manifest: string
  readonly watcher: PluginWatcher
  readonly reports: string[] = []
  readonly errors: unknown[] = []
  #sentinelReports = 0

  constructor(root: string, options: Partial<PluginWatcherOptions>) {
    this.root = root
    this.one = path.join(root, 'one')
    this.manifest = path.join(this.one, 'plugin.toml')
    this.watcher = new PluginWatcher({
      pluginDirectories: [root],
      debounceMs: DEBOUNCE_MS,
      onChanged: (directory) => this.#note('changed', directory),
      onAdded: (directory) => this.#note('added', directory),
      onRemoved: (directory) => this.#note('removed', directory),
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  /** Waits for these reports, in any order, and fails for any more that are on their way by then. */
  async expectReports(...expected: string[]): Promise<void> {
    await this.#untilAsMany(expected)
    // Of two folders that fall quiet the earlier is reported first. Twice, for chokidar looks at a file before it
    // tells of it.
    for (const _round of ['first', 'second']) await this.#untilSentinel()
    expect(this.reports.splice(0)).to.have.members(expected)
  }

  /** The same where there is no sentinel. */
  async expectOnly(...expected: string[]): Promise<void> {
    await this.#untilAsMany(expected)
    expect(this.reports.splice(0)).to.have.members(expected)
  }

  async #untilAsMany(expected: readonly string[]): Promise<void> {
    await until(() => this.reports.length >= expected.length, `all of ${expected.join()}`)
  }

  async #untilSentinel(): Promise<void> {
    const before = this.#sentinelReports
    fs.appendFileSync(path.join(this.root, SENTINEL, 'plugin.toml'), '#\n')
    await until(() => this.#sentinelReports > before, 'the report of the sentinel')
  }

  #note(word: string, directory: string): void {
    const report = `${word} ${path.relative(this.root, directory)}`
    if (report === `changed ${SENTINEL}`) this.#sentinelReports += 1
    else this.reports.push(report)
  }
}

export function makePlugin(directory: string): void {
  fs.mkdirSync(path.join(directory, 'src'), { recursive: true })
  fs.writeFileSync(path.join(directory, 'plugin.toml'), '[plugin]\n')
  fs.writeFileSync(path.join(directory, 'index.ts'), 'export {}\n')
  fs.writeFileSync(path.join(directory, 'src', 'deep.ts'), 'export {}\n')
}
