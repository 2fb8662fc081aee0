/** Runners of the real thing: every workspace has a process of its own, so a new folder is a new process. */
import fs from 'node:fs'
import path from 'node:path'
import type { Launcher } from '../harness/design.ts'
import { openSystem } from './open-system.ts'

export const launcher: Launcher = {
  async start(folder) {
    const system = await openSystem(folder)
    return {
      async launch() {
        const workspace = fs.mkdtempSync(path.join(fs.realpathSync(folder), 'workspace-'))
        const { success, error } = await system.execute_plugin('echo', 'echo', null, { workspace })
        if (!success) throw new Error(`Cannot run "echo": ${error}`)
        const { instances } = await system.get_plugin_info('echo')
        const instance = instances.find((candidate) => candidate.workspace === workspace)
        if (instance?.pid == null || instance.ready_ms === null) {
          throw new Error(
            `Cannot find the process of "${workspace}": ${instances.length} instances, none fits`,
          )
        }
        return { pid: instance.pid, readyMs: instance.ready_ms }
      },
      async close() {
        await system.shutdown()
      },
    }
  },
}
