import type { Command } from 'commander'
import type { LimitInfo, PluginLimits } from '../contract/plugin-info.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable } from './table.ts'
import { wholeNumber } from './whole-number.ts'

export function defineLimits(program: Command): void {
  program
    .command('limits')
    .argument('<plugin>', 'id of the plugin')
    .description('show the limits of a plugin, what holds them, and set them while it runs')
    .option(
      '--set <limit=value>',
      'a limit, not above what its manifest says; as often as wanted',
      collect,
      {},
    )
    .addHelpText(
      'after',
      examples('phantom limits data_processor', 'phantom limits data_processor --set max_cpu_time_ms=500'),
    )
    .action(async (pluginId: string, own: { set: Record<string, number> }, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const result = await withNearest(api, { pluginId }, () => api.set_plugin_limits(pluginId, own.set))
      if (options.json) printJson(result)
      else printLines(formatLimits(result))
    })
}

const readFigure = wholeNumber(0, Number.MAX_SAFE_INTEGER)

/** `max_cpu_time_ms=500` */
function collect(text: string, before: Readonly<Record<string, number>>): Record<string, number> {
  const [name = '', figure = ''] = text.split('=', 2)
  return { ...before, [name]: readFigure(figure) }
}

function formatLimits({ limits, processes }: PluginLimits): string[] {
  const kept = processes.flatMap(({ pid, problem }) =>
    problem === null
      ? []
      : [`process ${pid} keeps the kernel's limits that it started with: ${printableLine(problem)}`],
  )
  return [...limitTable(limits), ...(kept.length === 0 ? [] : ['', ...kept])]
}

export function limitTable(limits: readonly LimitInfo[]): string[] {
  const rows = limits.map(({ name, declared, effective, mechanism, not_held }) => ({
    cells: [
      name,
      String(declared ?? ''),
      String(effective ?? 'none'),
      mechanism ?? (not_held === null ? '' : `nothing: ${printableLine(not_held)}`),
    ],
  }))
  return rows.length === 0 ? [] : formatTable([{ cells: ['LIMIT', 'DECLARED', 'HOLDS', 'HELD BY'] }, ...rows])
}
