import { MAX_FRAME_BYTES, MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import {
  RUNNER_HOOKS,
  type RunnerHook,
  type RunnerParams,
  type RunnerResults,
} from '../src/contract/runner-methods.ts'
import { toJsonReport } from './json-report.ts'
import type { LoadedPlugin } from './loaded-plugin.ts'
import type { PluginEnvironment } from './plugin-environment.ts'
import type { LogSender } from './plugin-log.ts'
import { textOf } from './runner-error.ts'

/** The answer is one line, with `{"jsonrpc":"2.0","id":…,"result":{"state":…}}` around the state. */
const MAX_STATE_BYTES = MAX_FRAME_BYTES - 1024

export interface HookTarget {
  readonly plugin: LoadedPlugin
  readonly environment: PluginEnvironment
  readonly log: LogSender
}

/** Where a plugin has no such hook, the answer says that nothing came of it. Rejects with what the hook threw. */
type HookCalls = {
  readonly [Hook in RunnerHook]: (
    target: HookTarget,
    params: RunnerParams[Hook],
  ) => Promise<RunnerResults[Hook]>
}

export const HOOK_CALLS: HookCalls = {
  async health({ plugin }) {
    return { health: toJsonReport(await plugin.hooks.health?.()) }
  },
  async validate_config({ plugin }, { config }) {
    try {
      const verdict = await plugin.hooks.validate_config?.(config)
      return { veto: typeof verdict === 'string' ? verdict.slice(0, MAX_PLUGIN_TEXT_CHARS) : null }
    } catch (error) {
      return { veto: textOf(error) }
    }
  },
  configure,
  async quiesce({ plugin }) {
    await plugin.hooks.quiesce?.()
    return null
  },
  async resume({ plugin }) {
    await plugin.hooks.resume?.()
    return null
  },
  async export_state({ plugin }) {
    const state = await plugin.hooks.export_state?.()
    // Nothing, which is not null: the next generation has no `previous_state`.
    return { state: state === undefined ? undefined : toState(state) }
  },
}

/** Those that a plugin has, in the order of the contract. */
export function hooksOf(plugin: LoadedPlugin): RunnerHook[] {
  return RUNNER_HOOKS.filter((hook) => plugin.hooks[hook] !== undefined)
}

export function isHook(method: string): method is RunnerHook {
  return Object.hasOwn(HOOK_CALLS, method)
}

async function configure(
  { plugin, environment, log }: HookTarget,
  params: RunnerParams['configure'],
): Promise<RunnerResults['configure']> {
  const { config } = params
  log.setLevel(params.log_level)
  // What every plugin has acts at once, whatever becomes of the rest.
  environment.config = withCommonKeys(environment.config, config)
  if (plugin.hooks.configure === undefined) return { applied: false }
  await plugin.hooks.configure(config)
  environment.config = config
  return { applied: true }
}

type Config = Readonly<Record<string, unknown>>

/** The configuration of before, with `log_level` and `verbose` as the new one has them. */
function withCommonKeys(before: Config, { log_level, verbose }: Config): Config {
  const { log_level: _level, verbose: _verbose, ...rest } = before
  return {
    ...rest,
    ...(log_level === undefined ? {} : { log_level }),
    ...(verbose === undefined ? {} : { verbose }),
  }
}

function toState(value: unknown): unknown {
  try {
    return toJsonReport(value, MAX_STATE_BYTES)
  } catch (error) {
    throw new TypeError(
      `Cannot hand over what export_state() returned: ${textOf(error)}. Return JSON of at most ${MAX_STATE_BYTES} bytes`,
      { cause: error },
    )
  }
}
