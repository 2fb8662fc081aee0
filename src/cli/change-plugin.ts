/** Commands that change which code of a plugin runs, and whether it does: they need the daemon that runs it. */
import { Argument, type Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import type { ReloadResult } from '../contract/generations.ts'
import type { PluginSummary } from '../contract/plugin-info.ts'
import { commonOptions } from './common-options.ts'
import { formatDuration } from './figures.ts'
import { examples } from './help-examples.ts'
import { attachSystem } from './open-system.ts'
import { printJson, printLines } from './output.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { wholeNumber } from './whole-number.ts'

interface Change<T> {
  pluginId: string
  command: Command
  call: (api: PluginSystemApi) => Promise<T>
  format: (result: T) => string[]
}

export function defineReload(program: Command): void {
  program
    .command('reload')
    .argument('<plugin>', 'id of the plugin')
    .description('start a plugin anew from its files, beside the old one until it serves')
    .addHelpText('after', examples('phantom reload data_processor'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      await change({ pluginId, command, call: (api) => api.reload_plugin(pluginId), format: formatReload })
    })
}

export function defineRollback(program: Command): void {
  const generation = new Argument('[generation]', 'its number (default: the one that served before)')
  program
    .command('rollback')
    .argument('<plugin>', 'id of the plugin')
    .addArgument(generation.argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER)))
    .description('bring an earlier generation of a plugin back')
    .addHelpText('after', examples('phantom rollback data_processor', 'phantom rollback data_processor 3'))
    .action(async (pluginId: string, number: number | undefined, _own: unknown, command: Command) => {
      await change({
        pluginId,
        command,
        call: (api) => api.rollback_plugin(pluginId, number),
        format: formatReload,
      })
    })
}

export function defineLoad(program: Command): void {
  program
    .command('load')
    // Not called plugin: completion knows those that are loaded.
    .argument('<id>', 'id of the plugin')
    .description('load a plugin of the plugin directory that is new or was unloaded')
    .addHelpText('after', examples('phantom load data_processor'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      await change({ pluginId, command, call: (api) => api.load_plugin(pluginId), format: formatPlugin })
    })
}

export function defineUnload(program: Command): void {
  program
    .command('unload')
    .argument('<plugin>', 'id of the plugin')
    .description("end a plugin's processes after their calls, and forget it until it is loaded again")
    .addHelpText('after', examples('phantom unload data_processor'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      await change({
        pluginId,
        command,
        call: async (api) => ({ plugin_id: pluginId, unloaded: await api.unload_plugin(pluginId) }),
        format: ({ unloaded }) => [`${printableLine(pluginId)}  ${unloaded ? 'unloaded' : 'was not loaded'}`],
      })
    })
}

export function defineReset(program: Command): void {
  program
    .command('reset')
    .argument('<plugin>', 'id of the plugin')
    .description('lead a plugin out of "failed": its restarts are counted anew')
    .addHelpText('after', examples('phantom reset data_processor'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      await change({ pluginId, command, call: (api) => api.reset_plugin(pluginId), format: formatPlugin })
    })
}

async function change<T>({ pluginId, command, call, format }: Change<T>): Promise<void> {
  const options = commonOptions(command)
  await using system = await attachSystem(options)
  const result = await withNearest(system.api, { pluginId }, () => call(system.api))
  if (options.json) printJson(result)
  else printLines(format(result))
}

export function formatReload(result: ReloadResult): string[] {
  const { plugin_id: id, changed, generation, duration_ms: durationMs } = result
  const what = changed
    ? `generation ${generation} serves, after ${formatDuration(durationMs)}`
    : `nothing has changed, generation ${generation} serves`
  return [`${printableLine(id)}  ${what}`]
}

export function formatPlugin(plugin: PluginSummary): string[] {
  const reason = plugin.reason === null ? [] : printable(plugin.reason).split('\n')
  return [
    `${printableLine(plugin.id)} ${printableLine(plugin.version)}  ${paintState(plugin.state, plugin.state)}`,
    ...reason.map((line) => `  ${line}`),
  ]
}
