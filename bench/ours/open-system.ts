import fs from 'node:fs'
import path from 'node:path'
import { create_plugin_system, type PluginSystemApi } from '@phantom-ml/core'

const PLUGINS = new URL('../plugins/', import.meta.url)

/**
 * What `npm run build` made, as users get it. A daemon of its own for the plugin in `folder`, with its state beside it, so that removing the folder removes
 * everything. `test`, since in production a plugin waits for a person's approval.
 */
export async function openSystem(folder: string): Promise<PluginSystemApi> {
  const plugins = path.join(folder, 'plugins')
  fs.cpSync(PLUGINS, plugins, { recursive: true })
  return create_plugin_system(plugins, 'test')
}
