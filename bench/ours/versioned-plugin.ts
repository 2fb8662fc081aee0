import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginSystemApi } from '@phantom-ml/core'
import { pluginDirectory } from './open-system.ts'

const GIVE_UP_MS = 10_000

/** The plugin `versioned`, whose file is saved with another version again and again. */
export class VersionedPlugin {
  readonly id = 'versioned'
  readonly #system: PluginSystemApi
  readonly #file: string
  readonly #source: string
  readonly #leaving = new AbortController()
  #version = 1
  #onInitialized: () => void = () => undefined

  constructor(system: PluginSystemApi, folder: string) {
    this.#system = system
    this.#file = path.join(pluginDirectory(folder), this.id, 'index.js')
    this.#source = fs.readFileSync(this.#file, 'utf8')
  }

  /** Hears of new versions from now on. */
  async follow(): Promise<void> {
    const on_line = ({ message }: { message: string }): void => {
      if (message === `version ${this.#version}`) this.#onInitialized()
    }
    await this.#system.get_plugin_logs({ plugin_id: this.id, on_line, signal: this.#leaving.signal })
  }

  leave(): void {
    this.#leaving.abort()
  }

  /** Saves the next version and asks for a reload: how long it took, by the daemon's own clock. */
  async saveAndReload(): Promise<number> {
    this.#save()
    const { changed, duration_ms: durationMs } = await this.#system.reload_plugin(this.id)
    const serving = await this.serving()
    if (changed && serving === this.#version) return durationMs
    throw new Error(`Cannot measure a reload: version ${serving} serves, not ${this.#version}`)
  }

  /**
   * Saves the next version and waits until it answers. Milliseconds from the save. It asks only when the new process
   * has said that it initializes: asked all the time, the daemon and the old process would take the core from it.
   */
  async saveAndWait(): Promise<number> {
    const initialized = new Promise<void>((resolve) => (this.#onInitialized = resolve))
    this.#save()
    const startMs = performance.now()
    await Promise.race([initialized, sleep(GIVE_UP_MS, undefined, { ref: false })])
    while ((await this.serving()) !== this.#version) {
      if (performance.now() - startMs > GIVE_UP_MS)
        throw new Error(`Cannot measure a reload: version ${this.#version} does not come`)
    }
    return performance.now() - startMs
  }

  /** Saves half of the file: a reload must be refused, and change nothing. */
  async saveBroken(): Promise<void> {
    fs.writeFileSync(this.#file, this.#source.slice(0, this.#source.length / 2))
    const answer = await this.#system.reload_plugin(this.id).then(
      () => 'a reload',
      (error: unknown) => (error as { code?: string }).code,
    )
    if (answer !== 'GENERATION_REJECTED')
      throw new Error(`Cannot measure a broken save: the answer was ${answer}, not GENERATION_REJECTED`)
  }

  async serving(): Promise<unknown> {
    return await this.#run('version')
  }

  /** The file in which it writes down each `work` that it ran. */
  async recordPath(): Promise<string> {
    return String(await this.#run('record_path'))
  }

  async echo(value: unknown): Promise<unknown> {
    return await this.#run('echo', value)
  }

  #save(): void {
    this.#version += 1
    fs.writeFileSync(this.#file, this.#source.replace('VERSION = 1', `VERSION = ${this.#version}`))
  }

  async #run(operation: string, input?: unknown): Promise<unknown> {
    const { success, result, error } = await this.#system.execute_plugin(this.id, operation, input)
    if (!success) throw new Error(`Cannot run "${operation}": ${error}`)
    return result
  }
}
