/** What the configuration methods answer. */
import type { ManifestIssue } from './plugin-info.ts'

/** A plugin's configuration: its own keys, those that every plugin has, and what environments say differently. */
export interface PluginConfigFile {
  enabled?: boolean
  log_level?: 'debug' | 'info' | 'warn' | 'error'
  /** The daemon logs each call of the plugin, and the plugin sees it in its configuration. */
  verbose?: boolean
  environments?: Record<string, Record<string, unknown>>
  [key: string]: unknown
}

export interface PluginConfigInfo {
  plugin_id: string
  environment: string
  /** What the plugin gets: defaults, file and the environment's overlay together. References to secrets stay as written. */
  effective: Record<string, unknown>
  /** Where each key's value comes from: `default of plugin.toml`, or `config/plugins/x.yaml:3:1`. */
  origins: Record<string, string>
  schema: Record<string, unknown> | null
  /** The file that an update writes. */
  path: string
  /** Null where there is no file yet. */
  revision: number | null
}

export interface PluginConfigUpdate {
  plugin_id: string
  revision: number
  effective: Record<string, unknown>
  /** How running processes got it: told, or replaced by a new generation; `none` where none runs. */
  applied: 'live' | 'new_generation' | 'none'
}

export interface PluginConfigRevision {
  revision: number
  at: string
  /** Who wrote it: `update`, `rollback to 3`, or `file` for a change by hand that the daemon saw. */
  source: string
  /** Its text. */
  text: string
}

export interface PluginConfigValidation {
  valid: boolean
  issues: ManifestIssue[]
  /** The plugin's own `validate_config` was asked; false where no process runs and none was started. */
  asked_plugin: boolean
}

/** `explain_config`: one row a key of the daemon's own configuration. */
export interface ConfigValue {
  key: string
  value: unknown
  /** `package default`, a file with line and column, or `PHANTOM_LOG_LEVEL`. */
  origin: string
  /** Whether a change acts without a restart of the daemon. */
  reloads: boolean
}

export interface ConfigReload {
  /** Keys that changed and act now. */
  applied: string[]
  /** Keys that changed and need a restart. */
  needs_restart: string[]
}
