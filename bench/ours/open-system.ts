import fs from 'node:fs'
import path from 'node:path'
import { create_plugin_system, type PluginSystemApi } from '@phantom-ml/core'
import { installPlugins, type WantedPlugins } from './install-plugins.ts'

export interface SystemOptions {
  readonly plugins?: WantedPlugins
  /** What the daemon's configuration says, as YAML, on top of that of `test`. */
  readonly config?: string
}

/**
 * What `npm run build` made, as users get it. A daemon of its own for the plugins in `folder`, with its state beside
 * them, so that removing the folder removes everything. `test`, since in production a plugin waits for a person's
 * approval.
 */
export async function openSystem(
  folder: string,
  { plugins = { echo: 'echo' }, config = '' }: SystemOptions = {},
): Promise<PluginSystemApi> {
  const directory = pluginDirectory(folder)
  const file = path.join(folder, 'bench.yaml')
  installPlugins(directory, plugins)
  fs.writeFileSync(file, config)
  return create_plugin_system(directory, 'test', { config_file: file })
}

export function pluginDirectory(folder: string): string {
  return path.join(folder, 'plugins')
}
