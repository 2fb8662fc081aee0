import type { RunnerParams } from '../src/contract/runner-methods.ts'
import { forbidEval } from './forbid-eval.ts'
import { loadPlugin } from './javascript/load-plugin.ts'
import type { LoadedPlugin } from './loaded-plugin.ts'
import type { PluginEnvironment } from './plugin-environment.ts'
import { StartRefused } from './start-refused.ts'

/**
 * Loads a plugin and makes it ready for its first call.
 *
 * @throws whatever plugin code throws, and an Error in words where it vetoes or does not fit its manifest.
 */
export async function startPlugin(
  params: RunnerParams['initialize'],
  environment: PluginEnvironment,
): Promise<LoadedPlugin> {
  if (!params.eval) forbidEval()
  const plugin = await loadPlugin(params.entry, params.operations)
  const veto = await plugin.hooks.validate_config?.(params.config)
  if (typeof veto === 'string')
    throw new StartRefused(`its validate_config() refused the configuration: ${veto}`)
  await plugin.hooks.initialize?.(environment)
  return plugin
}
