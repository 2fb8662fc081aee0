import type {
  ConfigReload,
  ConfigValue,
  PluginConfigFile,
  PluginConfigInfo,
  PluginConfigRevision,
  PluginConfigUpdate,
  PluginConfigValidation,
} from '../contract/plugin-config.ts'
import { SupervisionMethods } from './supervision-methods.ts'

/** What is merged into a plugin's configuration; null takes a key away. */
export type PluginConfigChanges = { [Key in keyof PluginConfigFile]: PluginConfigFile[Key] | null }

export interface UpdateConfigOptions {
  /** Refuses with CONFIG_CONFLICT where another revision is the newest; 0 means that there is no file yet. */
  expected_revision?: number
  /** Checks, and writes nothing. */
  dry_run?: boolean
}

/** The configuration of plugins, and of the daemon itself. */
export abstract class ConfigurationMethods extends SupervisionMethods {
  /**
   * What a plugin gets as its configuration, and where each value comes from.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, CONFIG_INVALID
   */
  get_plugin_config(id: string): Promise<PluginConfigInfo> {
    return this.request('get_plugin_config', { plugin_id: id })
  }

  /**
   * Merges `updates` into a plugin's configuration file, comments kept, and applies the result: an object goes into
   * an object, anything else replaces, null takes a key away. Nothing is written unless all of it is valid.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, CONFIG_INVALID, CONFIG_CONFLICT, GENERATION_REJECTED
   * @example
   * await system.update_plugin_config('my_plugin', { log_level: 'debug', batch_size: 50 })
   */
  update_plugin_config(
    id: string,
    updates: PluginConfigChanges,
    options: UpdateConfigOptions = {},
  ): Promise<PluginConfigUpdate> {
    return this.request('update_plugin_config', { plugin_id: id, updates, ...options })
  }

  /**
   * Checks a whole configuration of a plugin without writing it.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  validate_plugin_config(id: string, config: PluginConfigFile): Promise<PluginConfigValidation> {
    return this.request('validate_plugin_config', { plugin_id: id, config })
  }

  /**
   * The revisions of a plugin's configuration that are kept, the newest first.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  async get_plugin_config_history(id: string): Promise<PluginConfigRevision[]> {
    return (await this.request('get_plugin_config_history', { plugin_id: id })).revisions
  }

  /**
   * Writes an earlier revision anew, as the newest, and applies it.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, REVISION_NOT_FOUND, CONFIG_INVALID, GENERATION_REJECTED
   */
  rollback_plugin_config(id: string, revision: number): Promise<PluginConfigUpdate> {
    return this.request('rollback_plugin_config', { plugin_id: id, revision })
  }

  /** The daemon's own configuration: each value, where it comes from and whether a change acts without a restart. */
  async explain_config(): Promise<ConfigValue[]> {
    return (await this.request('explain_config', {})).values
  }

  /**
   * Reads the daemon's own configuration anew, as SIGHUP does.
   *
   * @throws PhantomError CONFIG_INVALID: nothing was changed
   */
  reload_config(): Promise<ConfigReload> {
    return this.request('reload_config', {})
  }
}
