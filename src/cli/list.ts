import type { Command } from 'commander'
import type { PluginSummary } from '../contract/plugin-info.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { noteLine, printJson, printLine } from './output.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableLine } from './printable.ts'
import { formatTable, type TableRow } from './table.ts'

export function defineList(program: Command): void {
  program
    .command('list')
    .description('list the plugins, their state and operations')
    .addHelpText('after', examples('phantom list', 'phantom list --plugins ./my-plugins --json'))
    .action(async (_own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const plugins = await system.api.list_plugins()
      if (options.json) return printJson(plugins)
      if (plugins.length === 0)
        noteLine(`No plugin in "${options.plugins}": a plugin is a folder with a plugin.toml`)
      else for (const line of formatPluginTable(plugins, process.stdout.columns || undefined)) printLine(line)
    })
}

export function formatPluginTable(plugins: readonly PluginSummary[], maxWidth?: number): string[] {
  const rows: TableRow[] = plugins.map((plugin) => ({
    cells: [
      printableLine(plugin.id),
      printableLine(plugin.version),
      plugin.type ?? '-',
      { text: plugin.state, paint: (text) => paintState(plugin.state, text) },
      printableLine(plugin.operations.join(', ')),
    ],
    below: [plugin.reason, plugin.waiting].flatMap((text) =>
      text === null ? [] : printable(text).split('\n'),
    ),
  }))
  return formatTable([{ cells: ['ID', 'VERSION', 'TYPE', 'STATE', 'OPERATIONS'] }, ...rows], { maxWidth })
}
