import type { LogLevel } from '../../../src/contract/execution.ts'
import type { Manifest } from '../../../src/contract/manifest.ts'
import type { CommonConfig } from './common-keys.ts'
import type { Redactor } from '../../secrets/redactor.ts'
import { computePluginConfig, type ConfigChecker, type PluginConfig } from './compute-plugin-config.ts'
import { configInvalid } from './config-invalid.ts'
import type { ConfigFile } from './config-source.ts'
import type { PluginConfigStore } from './plugin-config-store.ts'
import { resolveSecrets, type SecretSources } from './resolve-secrets.ts'

/** Whose configuration: a generation of a plugin. */
export interface ConfiguredPlugin {
  readonly id: string
  readonly manifest: Manifest
}

/** What a plugin's process gets. */
interface ProcessConfig {
  config: Record<string, unknown>
  log_level: LogLevel
}

export interface LoadedPluginConfig extends PluginConfig {
  readonly forProcess: ProcessConfig
  readonly text: string | null
}

export interface PluginConfigsOptions {
  readonly store: PluginConfigStore
  readonly environment: string
  readonly checker: ConfigChecker
  readonly variables: SecretSources['variables']
  readonly refuseFile: SecretSources['refuseFile']
  readonly redactor: Redactor
  readonly onWarning: (pluginId: string, warning: string) => void
}

/** The configuration of each generation as it holds now. Files are read when a process starts and when they change. */
export class PluginConfigs {
  readonly store: PluginConfigStore
  readonly environment: string
  readonly #options: PluginConfigsOptions
  readonly #loaded = new WeakMap<ConfiguredPlugin, LoadedPluginConfig>()

  constructor(options: PluginConfigsOptions) {
    this.store = options.store
    this.environment = options.environment
    this.#options = options
  }

  /** Reads the file and checks it against the generation's schema. Throws `CONFIG_INVALID` with every mistake. */
  async load(plugin: ConfiguredPlugin): Promise<LoadedPluginConfig> {
    const { file, warning } = await this.store.read(plugin.id)
    if (warning !== null) this.#options.onWarning(plugin.id, warning)
    const known = this.#loaded.get(plugin)
    // Secrets may have changed behind their references.
    if (known !== undefined && known.text === file.text && !hasReferences(file.text)) return known
    const { loaded, secrets } = await this.#resolve(plugin, file)
    this.#options.redactor.hold(`configuration ${plugin.id}`, secrets)
    this.#loaded.set(plugin, loaded)
    return loaded
  }

  /** What a file says for a plugin, references to secrets as written. Throws `CONFIG_INVALID`. */
  async compute(plugin: ConfiguredPlugin, file: ConfigFile, allEnvironments = false): Promise<PluginConfig> {
    const { environment, checker } = this.#options
    const schema = plugin.manifest.configuration
    const request = { schema, file, environment, allEnvironments, checker }
    const { config, issues } = await computePluginConfig(request)
    if (config === null) throw configInvalid(plugin.id, issues)
    return config
  }

  /** The same with its secrets, as a process would get it; nothing is kept of it. Throws `CONFIG_INVALID`. */
  async resolve(
    plugin: ConfiguredPlugin,
    file: ConfigFile,
    allEnvironments = false,
  ): Promise<LoadedPluginConfig> {
    return (await this.#resolve(plugin, file, allEnvironments)).loaded
  }

  async #resolve(
    plugin: ConfiguredPlugin,
    file: ConfigFile,
    allEnvironments = false,
  ): Promise<{ loaded: LoadedPluginConfig; secrets: readonly string[] }> {
    const { id, manifest } = plugin
    const { checker, variables, refuseFile, redactor } = this.#options
    const schema = manifest.configuration
    const config = await this.compute(plugin, file, allEnvironments)
    const sources = { pluginId: id, schema, checker, variables, refuseFile }
    const { config: resolved, secrets } = await resolveSecrets(config, sources)
    for (const secret of secrets) redactor.add(secret)
    const logLevel = config.common.logLevel ?? manifest.runtime.logLevel
    const forProcess = { config: resolved, log_level: logLevel }
    return { loaded: { ...config, text: file.text, forProcess }, secrets }
  }

  /** As it was loaded last. */
  of(plugin: ConfiguredPlugin): LoadedPluginConfig | null {
    return this.#loaded.get(plugin) ?? null
  }

  /** What was loaded last turned out to be of no use. */
  keep(plugin: ConfiguredPlugin, before: LoadedPluginConfig | null): void {
    if (before === null) this.#loaded.delete(plugin)
    else this.#loaded.set(plugin, before)
  }

  commonOf(plugin: ConfiguredPlugin): CommonConfig | null {
    return this.#loaded.get(plugin)?.common ?? null
  }
}

function hasReferences(text: string | null): boolean {
  return text?.includes('${') === true
}
