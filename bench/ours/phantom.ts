/** The real thing through its public surface: private daemon, sandboxed runner, the echo plugin. */
import type { Design, DesignName } from '../harness/design.ts'
import { openSystem } from './open-system.ts'

export const design: Design = phantomAs('ours')

export function phantomAs(name: DesignName): Design {
  return {
    name,
    async start(folder) {
      const system = await openSystem(folder)
      const { pid, tier } = await system.get_status()
      return {
        daemonPid: pid,
        tier,
        async call({ value }) {
          const { success, result, error } = await system.execute_plugin('echo', 'echo', value)
          if (!success) throw new Error(`Cannot run "echo": ${error}`)
          return result
        },
        // The client library rejects the calls of a lost daemon itself.
        lost: new Promise<never>(() => undefined),
        async close() {
          await system.shutdown()
        },
      }
    },
  }
}
