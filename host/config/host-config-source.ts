import { isDeepStrictEqual } from 'node:util'
import type { ConfigReload } from '../../src/contract/plugin-config.ts'
import { CONFIG_KEYS, valueOf } from './config-keys.ts'
import { type ConfigTree, toHostConfig } from './config-schema.ts'
import { FileFollower } from './file-follower.ts'
import { type HostConfigOptions, type LoadedHostConfig, loadHostConfig, userFilesOf } from './host-config.ts'

export interface ConfigChange {
  readonly result: ConfigReload
  readonly loaded: LoadedHostConfig
}

export interface WatchOptions {
  /** Gets what a changed file throws (CONFIG_INVALID, mostly): the configuration in force stays. */
  readonly onError: (error: unknown) => void
  readonly pollIntervalMs?: number
}

/** The configuration in force, and where it came from. */
export class HostConfigSource {
  readonly #options: HostConfigOptions
  readonly #listeners = new Set<(change: ConfigChange) => void>()
  #current: LoadedHostConfig
  #watch: WatchOptions | null = null
  readonly #files: FileFollower

  /** @throws PhantomError CONFIG_INVALID */
  constructor(options: HostConfigOptions) {
    this.#options = options
    this.#current = loadHostConfig(options)
    this.#files = new FileFollower({
      debounceMs: () => this.#current.config.reload.debounceMs,
      onChanged: () => this.#reloadUnasked(),
    })
  }

  /** Keys that need a restart stand here as they were when the daemon started. */
  get current(): LoadedHostConfig {
    return this.#current
  }

  /**
   * Reads everything again. What acts at once is in force afterwards; `needs_restart` names the keys whose value in
   * the files differs from the one in force, at each reload until the restart.
   *
   * @throws PhantomError CONFIG_INVALID, and nothing has changed
   */
  reload(): ConfigChange {
    const change = takeOver(this.#current, loadHostConfig(this.#options))
    this.#current = change.loaded
    this.#followFiles()
    const { applied, needs_restart } = change.result
    if (applied.length + needs_restart.length > 0) {
      for (const listener of this.#listeners) listener(change)
    }
    return change
  }

  /** Told of every reload that found a difference. Gives back what ends it. */
  onChange(listener: (change: ConfigChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reloads by itself when a user's file changes, as long as `reload.watch` says so. Keeps no process alive. */
  watch(options: WatchOptions): void {
    this.#watch = options
    this.#followFiles()
  }

  /** Ends the watching. The configuration stays. Idempotent. */
  close(): void {
    this.#watch = null
    this.#followFiles()
    this.#listeners.clear()
  }

  #followFiles(): void {
    const isOn = this.#watch !== null && this.#current.config.reload.watch
    this.#files.follow(isOn ? this.#userFiles() : [], this.#watch?.pollIntervalMs)
  }

  #userFiles(): string[] {
    const { configFile = null } = this.#options
    return [...new Set([...userFilesOf(this.#options), ...(configFile === null ? [] : [configFile])])]
  }

  #reloadUnasked(): void {
    const onError = this.#watch?.onError
    try {
      this.reload()
    } catch (error) {
      onError?.(error)
    }
  }
}

/** The new configuration, but for what needs a restart: that keeps its value, and its origin where it differs. */
function takeOver(current: LoadedHostConfig, next: LoadedHostConfig): ConfigChange {
  const sections: Record<string, Record<string, unknown>> = { ...next.tree }
  const origins = new Map(next.origins)
  const result: ConfigReload = { applied: [], needs_restart: [] }
  for (const key of CONFIG_KEYS) {
    const inForce = valueOf(current.tree, key)
    if (isDeepStrictEqual(inForce, valueOf(next.tree, key))) continue
    if (key.reloads) {
      result.applied.push(key.name)
      continue
    }
    result.needs_restart.push(key.name)
    sections[key.section] = { ...sections[key.section], [key.key]: inForce }
    origins.set(key.name, current.origins.get(key.name) ?? '')
  }
  const tree = sections as ConfigTree
  return { result, loaded: { config: toHostConfig(tree), tree, origins, warnings: next.warnings } }
}
