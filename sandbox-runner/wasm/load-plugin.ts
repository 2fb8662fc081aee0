import { readFileSync } from 'node:fs'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { LoadedPlugin } from '../loaded-plugin.ts'
import { StartRefused } from '../start-refused.ts'
import { compileModule } from './compile-module.ts'
import type { RunnerPowers } from './runner-powers.ts'
import { WasmPlugin } from './wasm-plugin.ts'

/**
 * Compiles a plugin's module; nothing of it runs.
 *
 * @throws what `powers.refuseStart` makes, where it is no module of phantom-wasm v1
 */
export function loadWasmPlugin(params: RunnerParams['preload'], powers: RunnerPowers): LoadedPlugin {
  try {
    const module = compileModule(readModuleFile(params.entry), process.execArgv)
    return new WasmPlugin(module, params, powers)
  } catch (error) {
    // The class of this bundle is not the runner's.
    throw error instanceof StartRefused ? powers.refuseStart(error.message) : error
  }
}

/** Its bytes count as memory of the plugin, as those of a script do. */
function readModuleFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const remedy = 'Raise max_memory_mb under [resource_limits], or build it without debug information'
    throw new StartRefused(`there is no memory left for the bytes of its module. ${remedy}`, { cause: error })
  }
}
