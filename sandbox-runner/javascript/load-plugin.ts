import { pathToFileURL } from 'node:url'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { RUNNER_PROTOCOL_VERSION } from '../../src/contract/version.ts'
import { checkDefinition } from '../../src/plugin/check-definition.ts'
import type { PluginDefinition } from '../../src/plugin/plugin-definition.ts'
import type { LoadedPlugin, Threads } from '../loaded-plugin.ts'
import type { PluginEnvironment } from '../plugin-environment.ts'
import { StartRefused } from '../start-refused.ts'
import { matchMessages } from './match-messages.ts'
import { matchOperations } from './match-operations.ts'
import { registerPluginModules } from './plugin-modules.ts'

/** Comes with the bundle's call, see `RunRunner`. */
declare const importModule: (url: string) => Promise<unknown>

/** Imports a plugin's entry point and fits its operations to those that the manifest declares. */
export async function loadPlugin(
  entry: string,
  {
    declared,
    threads,
  }: { declared: Pick<RunnerParams['preload'], 'operations' | 'messages'>; threads: Threads | null },
): Promise<LoadedPlugin> {
  registerPluginModules()
  const exports = (await importModule(pathToFileURL(entry).href)) as Record<string, unknown>
  const definition = definitionOf(exports)
  const { operations, notices } = matchOperations(definition, declared.operations)
  const matched = matchMessages(definition, declared.messages)
  return {
    operations,
    messages: matched.messages,
    anyOperation: null,
    protocolVersion: RUNNER_PROTOCOL_VERSION,
    notices: [...notices, ...matched.notices],
    hooks: definition,
    start: (environment) => start(definition, environment, threads),
  }
}

async function start(
  hooks: LoadedPlugin['hooks'],
  environment: PluginEnvironment,
  threads: Threads | null,
): Promise<void> {
  environment.threads = threads
  const veto = await hooks.validate_config?.(environment.config)
  if (typeof veto === 'string')
    throw new StartRefused(`its validate_config() refused the configuration: ${veto}`)
  await hooks.initialize?.(environment)
  environment.previous_state = undefined
}

function definitionOf(exports: Record<string, unknown>): PluginDefinition {
  if (!('default' in exports)) {
    const names = Object.keys(exports).join(', ') || 'nothing'
    throw new StartRefused(
      `its entry point has no default export, it exports ${names}. Write "export default definePlugin({ … })"`,
    )
  }
  const value = unwrapTranspiled(exports['default'])
  try {
    checkDefinition(value)
    return value
  } catch (error) {
    throw new StartRefused(error instanceof TypeError ? error.message : String(error), { cause: error })
  }
}

/** A CommonJS module that was compiled from an ES module has its default export one level down. */
function unwrapTranspiled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('__esModule' in value) || !('default' in value))
    return value
  return value.default
}
