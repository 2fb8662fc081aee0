import type { Command } from 'commander'
import type { ConfigReload, ConfigValue } from '../contract/plugin-config.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { shortPath } from './manifest-issue.ts'
import { attachSystem, openSystemAnywhere } from './open-system.ts'
import { printJson, printLines } from './output.ts'
import { printableJson, printableLine } from './printable.ts'
import { formatTable } from './table.ts'

export function defineConfigDaemon(config: Command): void {
  config
    .command('explain')
    .description("show each value of the daemon's own configuration and where it comes from")
    .addHelpText(
      'after',
      examples('phantom config explain', 'phantom config explain --environment production'),
    )
    .action(async (_own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystemAnywhere(options)
      const values = await system.api.explain_config()
      if (options.json) return printJson(values)
      printLines(formatConfigValues(values))
    })
  config
    .command('reload')
    .description("read the daemon's own configuration anew, as SIGHUP does")
    .addHelpText('after', examples('phantom config reload'))
    .action(async (_own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await attachSystem(options)
      const reload = await system.api.reload_config()
      if (options.json) return printJson(reload)
      printLines(formatConfigReload(reload))
    })
}

export function formatConfigValues(values: readonly ConfigValue[], cwd: string = process.cwd()): string[] {
  const rows = values.map(({ key, value, origin, reloads }) => ({
    cells: [
      printableLine(key),
      printableJson(value),
      printableLine(shortPath(origin, cwd)),
      reloads ? '' : 'needs a restart',
    ],
  }))
  return formatTable([{ cells: ['KEY', 'VALUE', 'FROM', 'CHANGE'] }, ...rows])
}

export function formatConfigReload({ applied, needs_restart: later }: ConfigReload): string[] {
  if (applied.length + later.length === 0) return ['Nothing has changed']
  return [
    ...(applied.length === 0 ? [] : [`in force now: ${applied.map(printableLine).join(', ')}`]),
    ...(later.length === 0 ? [] : [`needs a restart: ${later.map(printableLine).join(', ')}`]),
  ]
}
