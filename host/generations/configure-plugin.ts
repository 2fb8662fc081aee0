import { isDeepStrictEqual } from 'node:util'
import type {
  PluginConfigInfo,
  PluginConfigUpdate,
  PluginConfigValidation,
} from '../../src/contract/plugin-config.ts'
import { isPhantomError, messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../src/contract/plugin-info.ts'
import { without } from '../config/plugin/compute-plugin-config.ts'
import { toConfigFile, type ConfigFile } from '../config/plugin/config-source.ts'
import type { LoadedPluginConfig, PluginConfigs } from '../config/plugin/plugin-configs.ts'
import type { StoredConfig, WriteOptions, WrittenConfig } from '../config/plugin/plugin-config-store.ts'
import { PluginTurns } from '../registry/plugin-turns.ts'
import { askVeto, configure } from '../process/runner-hooks.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Generation } from './generation.ts'

export interface ConfigurePowers {
  readonly configs: PluginConfigs
  /** Replaces every process by one of a new generation with the same files. */
  renew(plugin: PluginRecord): Promise<unknown>
  /** It was switched on or off. */
  onSwitched(plugin: PluginRecord): void
  /** What its file says is valid. That may be what it lacked. */
  onValid(plugin: PluginRecord): void
}

/** What the plugin may take for a say in its configuration. */
const HOOK_TIMEOUT_MS = 5_000

type Configurable = PluginRecord & { readonly current: Generation }
type Applied = PluginConfigUpdate['applied']
type Write = (check: WriteOptions['check']) => Promise<WrittenConfig>

/**
 * Changes plugins' configurations: checked, asked, written, and then told to the processes that run. What concerns
 * one plugin happens one after the other, so that what is taken back is never somebody else's.
 */
export class PluginConfigurer {
  readonly #powers: ConfigurePowers
  readonly #turns = new PluginTurns()

  constructor(powers: ConfigurePowers) {
    this.#powers = powers
  }

  /** @throws PhantomError CONFIG_INVALID */
  async describe(plugin: PluginRecord): Promise<PluginConfigInfo> {
    assertConfigurable(plugin)
    const { configs } = this.#powers
    const { file, revision } = await configs.store.read(plugin.id)
    const { effective, origins } = await configs.compute(plugin.current, file)
    return {
      plugin_id: plugin.id,
      environment: configs.environment,
      effective: { ...effective },
      origins: { ...origins },
      schema: plugin.current.manifest.configuration,
      path: file.path,
      revision,
    }
  }

  /** @throws PhantomError CONFIG_INVALID, CONFIG_CONFLICT, GENERATION_REJECTED */
  async update(
    plugin: PluginRecord,
    updates: Record<string, unknown>,
    options: { expectedRevision?: number; dryRun?: boolean },
  ): Promise<PluginConfigUpdate> {
    assertConfigurable(plugin)
    const { store } = this.#powers.configs
    const write: Write = (check) => store.update(plugin.id, updates, { ...options, check })
    return await this.#turns.take(plugin.id, () => this.#change(plugin, write, options.dryRun === true))
  }

  /** @throws PhantomError REVISION_NOT_FOUND, CONFIG_INVALID, GENERATION_REJECTED */
  async rollBack(plugin: PluginRecord, revision: number): Promise<PluginConfigUpdate> {
    assertConfigurable(plugin)
    const { store } = this.#powers.configs
    const write: Write = (check) => store.rollback(plugin.id, revision, { check })
    return await this.#turns.take(plugin.id, () => this.#change(plugin, write, false))
  }

  async validate(plugin: PluginRecord, config: Record<string, unknown>): Promise<PluginConfigValidation> {
    assertConfigurable(plugin)
    const file = toConfigFile('config', config)
    try {
      const askedPlugin = await this.#check(plugin, file)
      return { valid: true, issues: [], asked_plugin: askedPlugin }
    } catch (error) {
      if (!isPhantomError(error) || error.code !== 'CONFIG_INVALID') throw error
      return { valid: false, issues: issuesIn(error), asked_plugin: error.details['veto'] === true }
    }
  }

  /** The file was changed by hand, or another generation serves: what it says holds. */
  async refresh(plugin: PluginRecord): Promise<void> {
    await this.#turns.take(plugin.id, async () => {
      if (plugin.current !== null) await this.#adopt(plugin as Configurable)
    })
  }

  async #change(plugin: Configurable, write: Write, isDry: boolean): Promise<PluginConfigUpdate> {
    const { configs } = this.#powers
    const before = await configs.store.read(plugin.id)
    const written = await write(async (candidate) => void (await this.#check(plugin, candidate)))
    const applied = isDry ? 'none' : await this.#adoptOrTakeBack(plugin, before, written)
    const { effective } = await configs.compute(plugin.current, written.file)
    return { plugin_id: plugin.id, revision: written.revision, effective: { ...effective }, applied }
  }

  /** What cannot be applied does not stay written either. */
  async #adoptOrTakeBack(
    plugin: Configurable,
    before: StoredConfig,
    written: WrittenConfig,
  ): Promise<Applied> {
    try {
      return await this.#adopt(plugin)
    } catch (error) {
      if (written.isChanged) {
        const { store } = this.#powers.configs
        await store.restore(plugin.id, before, written).catch((cause: unknown) => {
          throw notTakenBack(plugin.id, error, cause)
        })
      }
      throw error
    }
  }

  /** Takes what the file says now. Where that fails, the processes have what they had. */
  async #adopt(plugin: Configurable): Promise<Applied> {
    const { configs } = this.#powers
    const { current } = plugin
    const before = configs.of(current)
    const now = await configs.load(current)
    this.#powers.onValid(plugin)
    if (before !== null && isSame(before, now)) return runningOf(plugin).length === 0 ? 'none' : 'live'
    try {
      return await this.#apply(plugin, before, now)
    } catch (error) {
      configs.keep(current, before)
      if (before !== null) await tell(plugin, before)
      throw error
    }
  }

  async #apply(
    plugin: Configurable,
    before: LoadedPluginConfig | null,
    now: LoadedPluginConfig,
  ): Promise<Applied> {
    const wasDisabled = plugin.isDisabled
    plugin.isDisabled = !now.common.enabled
    if (plugin.isDisabled !== wasDisabled) this.#powers.onSwitched(plugin)
    if (plugin.isDisabled) return 'none'
    // One that is on its way may have asked for its configuration already.
    await Promise.all(Array.from(plugin.lanes.values(), (lane) => lane.settled()))
    if (runningOf(plugin).length === 0) return 'none'
    if ((await tell(plugin, now)) || (before !== null && isSameToPlugin(before, now))) return 'live'
    await this.#powers.renew(plugin)
    return 'new_generation'
  }

  /** Throws `CONFIG_INVALID`; says whether the plugin was asked. */
  async #check(plugin: Configurable, candidate: ConfigFile): Promise<boolean> {
    const { forProcess } = await this.#powers.configs.resolve(plugin.current, candidate, true)
    const [instance] = runningOf(plugin).filter((running) => running.hasHook('validate_config'))
    if (instance === undefined) return false
    const veto = await askVeto(instance, forProcess.config, HOOK_TIMEOUT_MS)
    if (veto === null) return true
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot configure "${plugin.id}": the plugin refuses it: ${veto}. Change what it names`,
      { details: { plugin_id: plugin.id, veto: true, words: veto } },
    )
  }
}

/** False when a process takes it only at its start. */
async function tell(plugin: PluginRecord, { forProcess }: LoadedPluginConfig): Promise<boolean> {
  const taken = await Promise.all(
    runningOf(plugin).map((instance) => configure(instance, forProcess, HOOK_TIMEOUT_MS)),
  )
  return taken.every(Boolean)
}

/** A file is read anew for each event of it, and where it has references their secrets are. */
function isSame(one: LoadedPluginConfig, other: LoadedPluginConfig): boolean {
  return isDeepStrictEqual(one.forProcess, other.forProcess) && isDeepStrictEqual(one.common, other.common)
}

/** Whether they differ at most in keys that act by themselves and that the plugin's schema does not speak of. */
function isSameToPlugin(one: LoadedPluginConfig, other: LoadedPluginConfig): boolean {
  const ownOf = ({ forProcess, undeclared }: LoadedPluginConfig) => without(forProcess.config, undeclared)
  return isDeepStrictEqual(ownOf(one), ownOf(other))
}

function runningOf(plugin: PluginRecord): RunnerInstance[] {
  return Array.from(plugin.lanes.values(), (lane) => lane.instance).filter(
    (instance) => instance?.state === 'ready',
  ) as RunnerInstance[]
}

function assertConfigurable(plugin: PluginRecord): asserts plugin is Configurable {
  if (plugin.current !== null) return
  throw new PhantomError(
    'MANIFEST_INVALID',
    `Cannot configure "${plugin.id}": it is ${plugin.state}: ${plugin.reason}. Mend its manifest first`,
    { details: { plugin_id: plugin.id } },
  )
}

function notTakenBack(pluginId: string, error: unknown, cause: unknown): unknown {
  if (!isPhantomError(error)) return error
  const words = `${error.message}. The configuration of "${pluginId}" stays written, though: ${messageOf(cause)}`
  return new PhantomError(error.code, words, { cause, details: error.details })
}

function issuesIn(error: PhantomError): ManifestIssue[] {
  const { issues, words } = error.details
  if (Array.isArray(issues)) return issues as ManifestIssue[]
  const message = typeof words === 'string' ? words : error.message
  return [{ file: 'config', line: 1, column: 1, field: '', severity: 'error', message }]
}
