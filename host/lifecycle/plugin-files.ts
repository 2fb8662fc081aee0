import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { watch, type FSWatcher } from 'chokidar'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { HostConfig } from '../config/config-schema.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { PluginWatcher } from '../watch/plugin-watcher.ts'
import type { Engine } from './engine.ts'

export interface PluginFilesOptions {
  readonly engine: Engine
  readonly pluginDirectory: string
  /** Holds `<plugin_id>.yaml`. */
  readonly configFolder: string
  readonly config: () => HostConfig['reload']
  readonly log: DaemonLog
}

/** What becomes of plugins whose files change, come or go. */
export class PluginFiles {
  readonly #options: PluginFilesOptions
  #watcher: PluginWatcher | null = null
  #configWatcher: FSWatcher | null = null
  #settings = ''

  constructor(options: PluginFilesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { pluginDirectory, config, configFolder, log } = this.#options
    this.#settings = settingsOf(config())
    if (!config().watch) return
    this.#watcher = new PluginWatcher({
      pluginDirectories: [pluginDirectory],
      debounceMs: config().debounceMs,
      onChanged: (directory) => this.#changed(directory),
      onAdded: (directory) => this.#added(directory),
      onRemoved: (directory) => this.#removed(directory),
      onError: (error) =>
        log.warn('plugin files are not watched as they should be', { error: messageOf(error) }),
    })
    await this.#watcher.start()
    // Counted from the folder above, which is watched while this one is not there.
    const configs = watch(configFolder, { depth: 1, ignoreInitial: true, persistent: false })
    this.#configWatcher = configs
    for (const event of ['add', 'change', 'unlink'] as const)
      configs.on(event, (path) => this.#configChanged(path))
    configs.on('error', (error) =>
      log.warn('plugin configurations are not watched', { error: messageOf(error) }),
    )
    // What comes before then counts as having been there.
    await new Promise<void>((resolve) => configs.once('ready', resolve).once('error', () => resolve()))
  }

  /** The files that a plugin starts from, for those that do not run. */
  watchKnown(): void {
    for (const record of this.#options.engine.registry.records) this.#watchLightly(record)
  }

  /** Settles when no change of its files can be missed any more. */
  async watchRunning(directory: string): Promise<void> {
    await this.#watcher?.watchDeeply(directory)
  }

  /** The daemon's own configuration changed: begins, ends, or begins anew to watch where it says so. */
  async reconfigured(): Promise<void> {
    if (this.#settings === settingsOf(this.#options.config())) return
    await this.close()
    await this.start()
    this.watchKnown()
    for (const lane of this.#options.engine.executor.lanes)
      if (lane.instance !== null) await this.watchRunning(lane.plugin.directory)
  }

  async close(): Promise<void> {
    const watcher = this.#watcher
    const configWatcher = this.#configWatcher
    this.#watcher = null
    this.#configWatcher = null
    await watcher?.close()
    await configWatcher?.close()
  }

  #watchLightly(record: PluginRecord): void {
    const entry = record.manifest?.entryPoint
    this.#watcher?.setLightFiles(record.directory, entry === undefined ? [] : [entry])
    // Whatever is saved next may be what it lacks.
    if (record.current === null) void this.watchRunning(record.directory)
  }

  async #changed(directory: string): Promise<void> {
    const { engine, log } = this.#options
    const record = engine.registry.findByDirectory(directory)
    if (record === null || record.current === null) {
      // Never was one: its manifest may even give another id now.
      if (record !== null) engine.registry.remove(record, false)
      await this.#added(directory)
      return
    }
    try {
      await engine.reloader.reload(record, 'files')
    } catch (error) {
      log.warn('a change of files is not taken', { plugin_id: record.id, error: messageOf(error) })
      // Whatever is saved next may be what it lacks.
      await this.watchRunning(directory)
    }
    this.#watchLightly(record)
  }

  async #added(directory: string): Promise<void> {
    const { engine } = this.#options
    // Its manifest was gone for a moment.
    if ((engine.registry.findByDirectory(directory)?.current ?? null) !== null) await this.#changed(directory)
    for (const record of await engine.registry.loadNew()) {
      await engine.loaded(record)
      this.#watchLightly(record)
    }
  }

  async #removed(directory: string): Promise<void> {
    const { engine, log } = this.#options
    const record = engine.registry.findByDirectory(directory)
    if (record === null) return
    // Without its manifest it is a broken save: what was good goes on. It is removed with its folder.
    if (record.current !== null && existsSync(directory)) {
      await this.#changed(directory)
      return
    }
    log.info('a plugin was removed', { plugin_id: record.id, directory })
    engine.registry.remove(record, false)
    const words = `Cannot run "${record.id}": its folder was removed. Put it back, or call another plugin`
    await engine.retire(
      record,
      new PhantomError('PLUGIN_NOT_FOUND', words, { details: { plugin_id: record.id } }),
    )
  }

  #configChanged(path: string): void {
    const { engine, log, configFolder } = this.#options
    if (dirname(path) !== configFolder || !path.endsWith('.yaml')) return
    const record = engine.registry.find(basename(path, '.yaml'))
    if (record === null) return
    engine.configurer.refresh(record).catch((error: unknown) => {
      log.warn('a changed configuration is not taken', { plugin_id: record.id, error: messageOf(error) })
    })
  }
}

function settingsOf({ watch: isOn, debounceMs }: HostConfig['reload']): string {
  return `${isOn} ${debounceMs}`
}
