import { Option, type Command } from 'commander'
import type { HistoryEntry } from '../contract/health.ts'
import { commonOptions } from './common-options.ts'
import { formatAge, formatBytes, formatDuration } from './figures.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { noteLine, paint, printJson, printLines } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable } from './table.ts'
import { wholeNumber } from './whole-number.ts'

/** The contract's ceiling of `limit`. */
const MAX_ENTRIES = 10_000
const DEFAULT_ENTRIES = 20
const COLOUR_OF = {
  succeeded: 'green',
  failed: 'red',
  rejected: 'red',
  cancelled: 'gray',
} as const satisfies Record<HistoryEntry['outcome'], string>

interface HistoryOptions {
  limit: number
  outcome?: HistoryEntry['outcome']
}

export function defineHistory(program: Command): void {
  program
    .command('history')
    .argument('[plugin]', 'id of the plugin (default: all plugins)')
    .description('show the latest calls and how they ended, also of earlier daemons; the newest first')
    .option('-n, --limit <count>', 'how many calls', wholeNumber(1, MAX_ENTRIES), DEFAULT_ENTRIES)
    .addOption(new Option('--outcome <outcome>', 'only calls that ended so').choices(Object.keys(COLOUR_OF)))
    .addHelpText(
      'after',
      examples('phantom history', 'phantom history data_processor --outcome rejected -n 100 --json'),
    )
    .action(async (pluginId: string | undefined, own: HistoryOptions, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const asked = { ...own, ...(pluginId === undefined ? {} : { plugin_id: pluginId }) }
      const call = () => api.get_execution_history(asked)
      const entries = await withNearest(api, { pluginId: pluginId ?? '' }, call)
      if (options.json) return printJson(entries)
      if (entries.length === 0) noteLine('No such call is kept')
      else printLines(formatHistory(entries, Date.now()))
    })
}

/** One row a call; below it why it did not succeed. */
export function formatHistory(entries: readonly HistoryEntry[], nowMs: number): string[] {
  const rows = entries.map((entry) => ({
    cells: [
      formatAge(entry.at, nowMs),
      printableLine(entry.plugin_id),
      printableLine(entry.operation),
      { text: entry.outcome, paint: (text: string) => paint(COLOUR_OF[entry.outcome], text) },
      formatDuration(entry.execution_time_ms),
      formatDuration(entry.cpu_time_ms),
      formatBytes(entry.memory_used_bytes),
    ],
    below: whyNot(entry),
  }))
  const heads = ['WHEN', 'PLUGIN', 'OPERATION', 'OUTCOME', 'TIME', 'CPU', 'MEMORY']
  return formatTable([{ cells: heads }, ...rows])
}

function whyNot({ code, error }: HistoryEntry): string[] {
  const words = [code, error].filter((part) => part !== null).join(': ')
  return words === '' ? [] : printable(words).split('\n')
}
