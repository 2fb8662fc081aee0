import fs from 'node:fs'
import path from 'node:path'
import type { PluginSystemApi } from '@phantom-ml/core'

/**
 * Starts a process of the plugin's that has nothing of any other: every workspace has one of its own, so a new folder is a
 * new process. It stays.
 */
export async function coldStart(
  system: PluginSystemApi,
  folder: string,
  id = 'echo',
): Promise<{ pid: number; readyMs: number }> {
  const workspace = fs.mkdtempSync(path.join(fs.realpathSync(folder), 'workspace-'))
  const { success, error } = await system.execute_plugin(id, 'echo', null, { workspace })
  if (!success) throw new Error(`Cannot run "${id}": ${error}`)
  const { instances } = await system.get_plugin_info(id)
  const instance = instances.find((candidate) => candidate.workspace === workspace)
  if (instance?.pid == null || instance.ready_ms === null) {
    throw new Error(`Cannot find the process of "${workspace}": ${instances.length} instances, none fits`)
  }
  return { pid: instance.pid, readyMs: instance.ready_ms }
}
