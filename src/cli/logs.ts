import { Option, type Command } from 'commander'
import { LOG_LEVELS, type LogLevel, type PluginLogLine } from '../contract/execution.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { Interrupt } from './interrupt.ts'
import { openSystem, type OpenSystem } from './open-system.ts'
import { paint, printJsonLine, printLine } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { wholeNumber } from './whole-number.ts'

/** The contract's ceiling of `lines`. */
const MAX_LINES = 10_000
const LEVEL_WIDTH = 5
const COLOUR_OF = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const satisfies Record<
  LogLevel,
  string
>

interface LogsOptions {
  lines: number
  follow?: boolean
  level: LogLevel
}

interface LogsRequest {
  pluginId: string | undefined
  own: LogsOptions
  common: CommonOptions
}

export function defineLogs(program: Command): void {
  program
    .command('logs')
    .argument('[plugin]', 'id of the plugin (default: all plugins)')
    .description("show the plugins' log, also of earlier daemons; with --json one document a line")
    .option('-n, --lines <count>', 'how many of the last lines', wholeNumber(0, MAX_LINES), 50)
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .addOption(
      new Option('--level <level>', 'this level and worse').choices([...LOG_LEVELS]).default('debug'),
    )
    .addHelpText('after', examples('phantom logs data_processor -n 20', 'phantom logs --follow --level warn'))
    .action(async (pluginId: string | undefined, own: LogsOptions, command: Command) => {
      const common = commonOptions(command)
      await using system = await openSystem(common)
      await showLogs(system, { pluginId, own, common })
    })
}

async function showLogs({ api }: OpenSystem, { pluginId, own, common }: LogsRequest): Promise<void> {
  const isWanted = (line: PluginLogLine): boolean =>
    LOG_LEVELS.indexOf(line.level) >= LOG_LEVELS.indexOf(own.level)
  const print = (line: PluginLogLine): void => {
    if (isWanted(line)) common.json ? printJsonLine(line) : printLine(formatLogLine(line))
  }
  using interrupt = new Interrupt(() => undefined)
  // What comes before the first lines are printed waits its turn.
  let waiting: PluginLogLine[] | null = []
  const request = {
    ...(pluginId === undefined ? {} : { plugin_id: pluginId }),
    // A filter by level needs more lines to find so many that pass it.
    lines: own.level === 'debug' ? own.lines : MAX_LINES,
    ...(own.follow === true
      ? {
          on_line: (line: PluginLogLine) => (waiting === null ? print(line) : waiting.push(line)),
          signal: interrupt.signal,
        }
      : {}),
  }
  const lines = await withNearest(api, { pluginId: pluginId ?? '' }, () => api.get_plugin_logs(request))
  const shown = own.lines === 0 ? [] : lines.filter(isWanted).slice(-own.lines)
  // The daemon subscribes us before it collects: a line of that moment comes both ways.
  const collected = new Set(lines.map((line) => JSON.stringify(line)))
  const later = waiting.filter((line) => !collected.has(JSON.stringify(line)))
  waiting = null
  for (const line of [...shown, ...later]) print(line)
  if (own.follow !== true) return
  await untilInterrupted(api, interrupt.signal)
  process.exitCode = CLI_EXIT_CODES.interrupted
}

export function formatLogLine(line: PluginLogLine): string {
  const level = paint(COLOUR_OF[line.level], line.level.padEnd(LEVEL_WIDTH))
  const source = line.source === 'log' ? '' : ` (${line.source})`
  return `${line.time} ${level} ${printableLine(line.plugin_id)}${source}  ${printable(line.message)}`
}
