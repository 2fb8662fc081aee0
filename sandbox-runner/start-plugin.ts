import type { RunnerParams } from '../src/contract/runner-methods.ts'
import { openEgress } from './egress-relay.ts'
import { forbidEval } from './forbid-eval.ts'
import { loadPlugin } from './javascript/load-plugin.ts'
import type { LoadedPlugin } from './loaded-plugin.ts'
import type { PluginEnvironment } from './plugin-environment.ts'
import { StartRefused } from './start-refused.ts'

/**
 * Loads a plugin's code; no hook runs.
 *
 * @throws whatever plugin code throws, and an Error in words where it does not fit its manifest.
 */
export async function loadCode(params: RunnerParams['preload']): Promise<LoadedPlugin> {
  await openEgress()
  if (!params.eval) forbidEval()
  return loadPlugin(params.entry, params.operations)
}

/**
 * Makes a loaded plugin ready for its first call.
 *
 * @throws whatever plugin code throws, and an Error in words where it vetoes.
 */
export async function initializePlugin(plugin: LoadedPlugin, environment: PluginEnvironment): Promise<void> {
  const veto = await plugin.hooks.validate_config?.(environment.config)
  if (typeof veto === 'string')
    throw new StartRefused(`its validate_config() refused the configuration: ${veto}`)
  await plugin.hooks.initialize?.(environment)
  environment.previous_state = undefined
}
