/** Runners of the real thing. */
import type { Launcher } from '../harness/design.ts'
import { coldStart } from './cold-start.ts'
import { openSystem } from './open-system.ts'

export const launcher: Launcher = {
  async start(folder) {
    const system = await openSystem(folder)
    return {
      launch: () => coldStart(system, folder),
      async close() {
        await system.shutdown()
      },
    }
  },
}
