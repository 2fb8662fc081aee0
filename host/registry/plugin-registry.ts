import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { isPluginId } from '../../src/contract/manifest/parse-identity.ts'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import type { GenerationCause } from '../../src/contract/generations.ts'
import type { Manifest } from '../../src/contract/manifest.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginState } from '../../src/contract/life.ts'
import type { Generation } from '../generations/generation.ts'
import { PluginMetrics } from '../metrics/plugin-metrics.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { Store } from '../store/store.ts'
import { dependencyProblems, type DependencyNode } from './dependencies.ts'
import { discoverPlugins, type DiscoveredPlugin } from './discover-plugins.ts'
import { PluginRecord, type RunnablePlugin } from './plugin-record.ts'
import { MANIFEST_FILE } from './read-manifest.ts'
import { checkOperation, notRunnable } from './runnable.ts'

export interface RegistryOptions {
  readonly pluginDirectory: string
  /** The built-in plugins' folder; null where the configuration leaves them out. */
  readonly builtinDirectory: string | null
  readonly store: Store
  readonly log: DaemonLog
  /** Why a plugin may not run with the rights it holds; null when it may. */
  /** A plugin came to be `blocked`, or is for another reason. */
  readonly onBlocked: (pluginId: string, reason: string | null) => void
  readonly refusalOf: (plugin: PluginRecord, manifest: Manifest) => string | null
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string
  readonly makeGeneration: (plugin: PluginRecord, manifest: Manifest, cause: GenerationCause) => Generation
}

/** All plugins that the daemon knows, and what state each is in. */
export class PluginRegistry {
  readonly #options: RegistryOptions
  /** For what reason each was told to be. */
  readonly #blocked = new Map<string, string | null>()
  readonly #records = new Map<string, PluginRecord>()
  /** Folders whose plugin was unloaded, with its id: they stay so until somebody loads them. */
  readonly #unloaded = new Map<string, string>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  get records(): IterableIterator<PluginRecord> {
    return this.#records.values()
  }

  /** @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND */
  async load(): Promise<void> {
    const found = await this.#discover()
    this.#options.store.together(() => {
      for (const plugin of found) this.#add(plugin)
    })
    this.refreshDependencies()
  }

  /**
   * Looks for plugin folders that are not loaded yet.
   *
   * @param wanted an id, or a folder, that was unloaded and shall come back
   * @returns those that are new
   */
  async loadNew(wanted?: string): Promise<PluginRecord[]> {
    const known = new Set(Array.from(this.#records.values(), (record) => record.directory))
    const added: PluginRecord[] = []
    for (const found of await this.#discover()) {
      if (known.has(found.directory) || this.#records.has(found.id)) continue
      const isWanted = found.id === wanted || found.directory === wanted
      if (this.#unloaded.has(found.directory) && !isWanted) continue
      this.#unloaded.delete(found.directory)
      added.push(this.#add(found))
    }
    if (added.length > 0) this.refreshDependencies()
    return added
  }

  /** Its processes are gone already. `stays`: it comes back only when somebody loads it. */
  remove(record: PluginRecord, stays: boolean): void {
    this.#records.delete(record.id)
    if (stays) this.#unloaded.set(record.directory, record.id)
    this.refreshDependencies()
  }

  find(id: string): PluginRecord | null {
    return this.#records.get(id) ?? null
  }

  findByDirectory(directory: string): PluginRecord | null {
    for (const record of this.#records.values()) if (record.directory === directory) return record
    return null
  }

  countByState(): Record<string, number> {
    const counts: Partial<Record<PluginState, number>> = {}
    for (const { state } of this.#records.values()) counts[state] = (counts[state] ?? 0) + 1
    return counts
  }

  /** @throws PhantomError PLUGIN_NOT_FOUND with the nearest id */
  get(id: string): PluginRecord {
    const record = this.#records.get(id)
    if (record !== undefined) return record
    if ([...this.#unloaded.values()].includes(id)) throw unloadedError(id)
    const nearest = nearestName(id, this.#records.keys())
    throw new PhantomError(
      'PLUGIN_NOT_FOUND',
      `Cannot find plugin "${id}": there is none of that id below ${this.#options.pluginDirectory}. ` +
        this.#remedyForMissing(id, nearest),
      { details: { plugin_id: id, nearest } },
    )
  }

  /** An author's folder that is no plugin yet is passed over without a word: it is told to whoever asks for it. */
  #remedyForMissing(id: string, nearest: string | null): string {
    const folder = join(this.#options.pluginDirectory, id)
    if (isPluginId(id) && existsSync(folder) && !existsSync(join(folder, MANIFEST_FILE)))
      return `The folder "${folder}" has no ${MANIFEST_FILE}: "phantom new" writes a whole plugin, docs/writing-plugins.md shows the smallest`
    return nearest === null ? 'List them with "phantom list"' : `Did you mean "${nearest}"?`
  }

  /**
   * @param operation one that it must have; null for none
   * @throws PhantomError PLUGIN_NOT_FOUND, MANIFEST_INVALID, PLUGIN_BLOCKED, PLUGIN_FAILED, PLUGIN_DISABLED,
   * DEPENDENCY_UNAVAILABLE, OPERATION_NOT_FOUND
   */
  getRunnable(id: string, operation: string | null): RunnablePlugin {
    const record = this.get(id)
    if (!record.isEnabled() || record.isDisabled || record.dependencyProblem !== null)
      throw notRunnable(record)
    if (operation !== null) checkOperation(record, operation)
    return record
  }

  /** What a plugin with that manifest would lack, in words; null when nothing. */
  dependencyProblem(record: PluginRecord, manifest: Manifest): string | null {
    if (Object.keys(manifest.pluginDependencies).length === 0) return null
    const nodes = this.#nodes()
    nodes.set(record.id, {
      id: record.id,
      version: manifest.version,
      reason: null,
      needs: manifest.pluginDependencies,
    })
    return dependencyProblems(nodes).get(record.id) ?? null
  }

  /** Whenever a plugin came, went, changed, or was switched on or off. */
  refreshDependencies(): void {
    const problems = dependencyProblems(this.#nodes())
    for (const record of this.#records.values()) record.dependencyProblem = problems.get(record.id) ?? null
  }

  /** Writes down what state a plugin is in. A disk that takes nothing changes nothing of it. */
  save(record: PluginRecord): void {
    const { store, log } = this.#options
    this.#tellIfBlocked(record)
    try {
      store.savePluginState({
        id: record.id,
        state: record.state,
        version: record.manifest?.version ?? null,
        reason: record.reason,
      })
    } catch (error) {
      log.error('a plugin state cannot be recorded', { plugin_id: record.id, error: messageOf(error) })
    }
  }

  #tellIfBlocked({ id, state, reason }: PluginRecord): void {
    if (state !== 'blocked') this.#blocked.delete(id)
    else if (this.#blocked.get(id) !== reason) {
      this.#blocked.set(id, reason)
      this.#options.onBlocked(id, reason)
    }
  }

  #nodes(): Map<string, DependencyNode> {
    const nodes = new Map<string, DependencyNode>()
    for (const record of this.#records.values()) {
      const { id, manifest, state, isDisabled } = record
      const runs = state === 'enabled' && manifest !== null && !isDisabled
      nodes.set(id, {
        id,
        version: runs ? manifest.version : null,
        reason: runs ? null : isDisabled ? 'its configuration says enabled: false' : `it is ${state}`,
        needs: manifest?.pluginDependencies ?? {},
      })
    }
    return nodes
  }

  async #discover(): Promise<DiscoveredPlugin[]> {
    const { pluginDirectory, builtinDirectory } = this.#options
    const isBuiltin =
      builtinDirectory !== null && realpathSync(pluginDirectory) === realpathSync(builtinDirectory)
    const sources = [{ directory: pluginDirectory, builtin: isBuiltin }]
    if (builtinDirectory !== null && !isBuiltin && existsSync(builtinDirectory)) {
      sources.unshift({ directory: builtinDirectory, builtin: true })
    }
    return await discoverPlugins(sources)
  }

  #add(found: DiscoveredPlugin): PluginRecord {
    const { store, log } = this.#options
    const record = new PluginRecord(found, new PluginMetrics(this.#options.redact))
    record.issues = found.issues
    this.#records.set(record.id, record)
    record.lastExit = store.lastExit(record.id)
    if (found.manifest === null) {
      const worst = found.issues.find((issue) => issue.severity === 'error') ?? found.issues[0]
      record.move('manifest_invalid', worst === undefined ? 'its manifest is invalid' : issueText(worst))
    } else {
      // First: what it holds is decided there.
      const refusal = this.#options.refusalOf(record, found.manifest)
      record.current = this.#options.makeGeneration(record, found.manifest, 'start')
      record.move('manifest_valid')
      record.move(refusal === null ? 'rights_granted' : 'rights_refused', refusal)
    }
    for (const issue of record.issues) log.warn(issueText(issue), { plugin_id: record.id })
    log.info('plugin loaded', { plugin_id: record.id, state: record.state, reason: record.reason })
    this.save(record)
    return record
  }
}

/** What open and later calls of it get. */
export function unloadedError(id: string): PhantomError {
  const words = `Cannot find plugin "${id}": it was unloaded. Load it with "phantom load ${id}"`
  return new PhantomError('PLUGIN_NOT_FOUND', words, { details: { plugin_id: id } })
}
