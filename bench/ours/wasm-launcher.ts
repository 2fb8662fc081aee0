/** Runners of a plugin in WebAssembly. */
import type { Launcher } from '../harness/design.ts'
import { coldStart } from './cold-start.ts'
import { openSystem } from './open-system.ts'

const ID = 'wasm_echo'

export const launcher: Launcher = {
  async start(folder) {
    const system = await openSystem(folder, { plugins: { [ID]: 'wasm-echo' } })
    return {
      launch: () => coldStart(system, folder, ID),
      async close() {
        await system.shutdown()
      },
    }
  },
}
