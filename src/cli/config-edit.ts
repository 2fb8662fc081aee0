import type { Command } from 'commander'
import type { PluginConfigInfo, PluginConfigUpdate } from '../contract/plugin-config.ts'
import { commonOptions } from './common-options.ts'
import { leavesOf, parseChanges, valueAt } from './config-keys.ts'
import { examples } from './help-examples.ts'
import { shortPath } from './manifest-issue.ts'
import { openSystem } from './open-system.ts'
import { printJson, printLine, printLines } from './output.ts'
import { printable, printableJson, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable } from './table.ts'

const APPLIED_WORDS = {
  live: 'its running processes were told',
  new_generation: 'a new generation serves with it',
  none: 'no process of it runs',
} as const satisfies Record<PluginConfigUpdate['applied'], string>

interface SetOptions {
  unset?: string[]
  dryRun?: boolean
}

export function defineConfigEdit(config: Command): void {
  defineGet(config)
  defineSet(config)
}

function defineGet(config: Command): void {
  config
    .command('get')
    .argument('<plugin>', 'id of the plugin')
    .argument('[key]', 'one key, with dots for those inside others')
    .description('show what a plugin gets as its configuration and where each value comes from')
    .addHelpText(
      'after',
      examples('phantom config get data_processor', 'phantom config get data_processor batch_size'),
    )
    .action(async (pluginId: string, key: string | undefined, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const info = await withNearest(api, { pluginId }, () => api.get_plugin_config(pluginId))
      if (key === undefined) {
        if (options.json) return printJson(info)
        return printLines(formatPluginConfig(info))
      }
      const value = valueAt(info.effective, key, pluginId)
      // A text alone is what a script wants, and what a person reads; with --json it is a document like any other.
      if (typeof value === 'string' && !options.json) printLine(printable(value))
      else printJson(value)
    })
}

function defineSet(config: Command): void {
  config
    .command('set')
    .argument('<plugin>', 'id of the plugin')
    .argument('[key=value...]', 'what to change: JSON, or else text; dots lead into objects')
    .description("change a plugin's configuration file and apply it; comments in it are kept")
    .option('--unset <key>', 'take a key away; may be given more than once', collect)
    .option('--dry-run', 'check, and write nothing')
    .addHelpText(
      'after',
      examples(
        'phantom config set data_processor log_level=debug limits.rows=500',
        `phantom config set data_processor 'tags=["a","b"]' --unset batch_size --dry-run`,
        'phantom config set data_processor \'environments.production={"batch_size":1000}\'',
      ),
    )
    .action(async (pluginId: string, assignments: string[], own: SetOptions, command: Command) => {
      const options = commonOptions(command)
      const changes = parseChanges(assignments, own.unset ?? [])
      await using system = await openSystem(options)
      const { api } = system
      const isDry = own.dryRun === true
      const call = () => api.update_plugin_config(pluginId, changes, isDry ? { dry_run: true } : {})
      const update = await withNearest(api, { pluginId }, call)
      if (options.json) return printJson(update)
      printLine(isDry ? `${printableLine(pluginId)}  valid; nothing was written` : formatUpdate(update))
    })
}

function collect(key: string, before: readonly string[] = []): string[] {
  return [...before, key]
}

/** One row a value, then the file that an update writes. */
export function formatPluginConfig(info: PluginConfigInfo, cwd: string = process.cwd()): string[] {
  const rows = Object.entries(leavesOf(info.effective)).map(([name, value]) => ({
    cells: [
      printableLine(name),
      printableJson(value),
      printableLine(shortPath(info.origins[name] ?? '-', cwd)),
    ],
  }))
  const file = printableLine(shortPath(info.path, cwd))
  const revision = info.revision === null ? 'not there yet' : `revision ${info.revision}`
  return [
    ...(rows.length === 0
      ? ['No key has a value']
      : formatTable([{ cells: ['KEY', 'VALUE', 'FROM'] }, ...rows])),
    '',
    `environment ${printableLine(info.environment)}, file ${file}, ${revision}`,
  ]
}

export function formatUpdate(update: PluginConfigUpdate): string {
  return `${printableLine(update.plugin_id)}  revision ${update.revision}; ${APPLIED_WORDS[update.applied]}`
}
