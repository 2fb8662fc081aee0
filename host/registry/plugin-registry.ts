import { existsSync, realpathSync } from 'node:fs'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginState } from '../../src/contract/life.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { Store } from '../store/store.ts'
import { discoverPlugins, type DiscoveredPlugin } from './discover-plugins.ts'
import { PluginRecord, type RunnablePlugin } from './plugin-record.ts'

export interface RegistryOptions {
  readonly pluginDirectory: string
  /** The built-in plugins' folder; null where the configuration leaves them out. */
  readonly builtinDirectory: string | null
  readonly store: Store
  readonly log: DaemonLog
  /** Why a plugin's rights are not granted; null when they are. */
  readonly refusalOf: (plugin: DiscoveredPlugin) => string | null
}

/** All plugins that the daemon knows, and what state each is in. */
export class PluginRegistry {
  readonly #options: RegistryOptions
  readonly #records = new Map<string, PluginRecord>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  get records(): IterableIterator<PluginRecord> {
    return this.#records.values()
  }

  /** @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND */
  async load(): Promise<void> {
    const { pluginDirectory, builtinDirectory } = this.#options
    const isBuiltin =
      builtinDirectory !== null && realpathSync(pluginDirectory) === realpathSync(builtinDirectory)
    const sources = [{ directory: pluginDirectory, builtin: isBuiltin }]
    if (builtinDirectory !== null && !isBuiltin && existsSync(builtinDirectory)) {
      sources.unshift({ directory: builtinDirectory, builtin: true })
    }
    for (const found of await discoverPlugins(sources)) this.#add(found)
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
    const nearest = nearestName(id, this.#records.keys())
    throw new PhantomError(
      'PLUGIN_NOT_FOUND',
      `Cannot find plugin "${id}": there is none of that id below ${this.#options.pluginDirectory}. ` +
        (nearest === null ? 'List them with "phantom list"' : `Did you mean "${nearest}"?`),
      { details: { plugin_id: id, nearest } },
    )
  }

  /** @throws PhantomError PLUGIN_NOT_FOUND, MANIFEST_INVALID, PLUGIN_BLOCKED, PLUGIN_RUNTIME_UNAVAILABLE, OPERATION_NOT_FOUND */
  getRunnable(id: string, operation: string): RunnablePlugin {
    const record = this.get(id)
    if (!record.isEnabled()) throw notRunnable(record)
    checkOperation(record, operation)
    return record
  }

  #add(found: DiscoveredPlugin): void {
    const { store, log } = this.#options
    const record = new PluginRecord(found)
    this.#records.set(record.id, record)
    record.lastExit = store.lastExit(record.id)
    if (record.manifest === null) {
      const worst = record.issues.find((issue) => issue.severity === 'error') ?? record.issues[0]
      record.move('manifest_invalid', worst === undefined ? 'its manifest is invalid' : issueText(worst))
    } else {
      record.move('manifest_valid')
      const refusal = this.#options.refusalOf(found)
      record.move(refusal === null ? 'rights_granted' : 'rights_refused', refusal)
    }
    for (const issue of record.issues) log.warn(issueText(issue), { plugin_id: record.id })
    log.info('plugin loaded', { plugin_id: record.id, state: record.state, reason: record.reason })
    store.savePluginState({
      id: record.id,
      state: record.state,
      version: record.manifest?.version ?? null,
      reason: record.reason,
    })
  }
}

function notRunnable(record: PluginRecord): PhantomError {
  const code = record.state === 'invalid' ? 'MANIFEST_INVALID' : 'PLUGIN_BLOCKED'
  return new PhantomError(
    code,
    `Cannot run "${record.id}": it is ${record.state}: ${record.reason}. See "phantom info ${record.id}"`,
    { details: { plugin_id: record.id, state: record.state, issues: record.issues } },
  )
}

function checkOperation(plugin: RunnablePlugin, operation: string): void {
  const { type, operations } = plugin.manifest
  if (type !== 'javascript') {
    throw new PhantomError(
      'PLUGIN_RUNTIME_UNAVAILABLE',
      `Cannot run "${plugin.id}": plugins of type "${type}" run when that runtime comes with a later version. ` +
        'This version runs type "javascript"',
      { details: { plugin_id: plugin.id, type } },
    )
  }
  if (plugin.hasOperation(operation)) return
  const names = operations.map((known) => known.name)
  const nearest = nearestName(operation, names)
  throw new PhantomError(
    'OPERATION_NOT_FOUND',
    `Cannot run "${operation}" of "${plugin.id}": it has no such operation. ` +
      (nearest === null ? `It has ${names.join(', ')}` : `Did you mean "${nearest}"?`),
    { details: { plugin_id: plugin.id, operation, nearest, operations: names } },
  )
}
