import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type { BundleName } from './runner-script.ts'
import { forbidEval } from './forbid-eval.ts'
import { loadPlugin } from './javascript/load-plugin.ts'
import { openThreads } from './javascript/threads.ts'
import type { LoadedPlugin } from './loaded-plugin.ts'
import type * as wasmBundle from './wasm/load-plugin.ts'
import type { RunnerPowers } from './wasm/runner-powers.ts'
import type { PermissionWatch } from './watch-permissions.ts'

/** Comes with the bundle's call, see `RunRunner`. */
declare const runBundle: (name: BundleName) => unknown

export type LoaderPowers = RunnerPowers & Pick<PermissionWatch, 'quietly'>

/**
 * Loads a plugin's code; no hook runs. Which runtime hosts it says the ending of its entry point, which the host has
 * held to the type that the manifest declares.
 *
 * @throws whatever plugin code throws, and an Error in words where it does not fit its manifest.
 */
export async function loadCode(params: RunnerParams['preload'], powers: LoaderPowers): Promise<LoadedPlugin> {
  if (!params.eval) forbidEval()
  if (!params.entry.endsWith('.wasm'))
    return await loadPlugin(params.entry, {
      declared: params,
      // Before the plugin's code, which from then on can start no thread by itself.
      threads: params.threads === 0 ? null : await openThreads(params, powers),
    })
  const bundle = runBundle('wasm.cjs') as typeof wasmBundle
  return bundle.loadWasmPlugin(params, powers)
}
