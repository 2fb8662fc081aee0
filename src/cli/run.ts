import path from 'node:path'
import { Option, type Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import type { ExecutionProgress, PluginExecutionResult } from '../contract/execution.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { PRIORITIES, type Priority } from '../contract/health.ts'
import { isPhantomError } from '../contract/phantom-error.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { Interrupt } from './interrupt.ts'
import { readInput } from './json-input.ts'
import { openSystem } from './open-system.ts'
import { noteLine, paint, printJson } from './output.ts'
import { printable } from './printable.ts'
import { ProgressLine } from './progress-line.ts'
import { withNearest } from './suggest-plugin.ts'
import { wholeNumber } from './whole-number.ts'

/** The contract's ceiling of `timeout_ms`: a day. */
const MAX_TIMEOUT_MS = 86_400_000

interface RunOptions {
  input?: string
  workspace?: string
  timeout?: number
  priority?: Priority
}

interface Run {
  pluginId: string
  operation: string
  own: RunOptions
  common: CommonOptions
}

export function defineRun(program: Command): void {
  program
    .command('run')
    .argument('<plugin>', 'id of the plugin')
    .argument('<operation>', 'name of the operation')
    .description('run one operation and print its result')
    .option('--input <json>', 'input: JSON, @file, or - for stdin')
    .option('--workspace <dir>', 'folder whose files the call is about (default: the current one)')
    .option(
      '--timeout <ms>',
      'deadline of the call in milliseconds',
      wholeNumber(1, MAX_TIMEOUT_MS, 'whole milliseconds'),
    )
    .addOption(
      new Option('--priority <priority>', 'which calls go first where they wait (default: "normal")').choices(
        PRIORITIES,
      ),
    )
    .addHelpText(
      'after',
      examples(
        'phantom run data_processor process_pipeline --input @pipeline.json',
        `phantom run echo echo --input '{"text":"hello"}' --timeout 2000`,
        'curl -s https://example.org/data.json | phantom run echo echo --input - --json',
      ),
    )
    .action(async (pluginId: string, operation: string, own: RunOptions, command: Command) => {
      await run({ pluginId, operation, own, common: commonOptions(command) })
    })
}

async function run(asked: Run): Promise<void> {
  const input = await readInput(asked.own.input)
  await using system = await openSystem(asked.common)
  const result = await execute(asked, input, system.api)
  if (result !== null) return report(result, asked.common.json)
  noteLine('Cancelled')
  process.exitCode = CLI_EXIT_CODES.interrupted
}

/** Null when Ctrl-C ended it. */
async function execute(
  asked: Run,
  input: unknown,
  api: PluginSystemApi,
): Promise<PluginExecutionResult | null> {
  const { pluginId, operation, own } = asked
  using progress = new ProgressLine(process.stderr, `${pluginId} ${operation}`)
  using interrupt = new Interrupt(() => progress.say('Cancelling the call; Ctrl-C again leaves at once'))
  const options = {
    ...(own.timeout === undefined ? {} : { timeout_ms: own.timeout }),
    ...(own.priority === undefined ? {} : { priority: own.priority }),
    ...(own.workspace === undefined ? {} : { workspace: path.resolve(own.workspace) }),
    signal: interrupt.signal,
    on_progress: (latest: ExecutionProgress) => progress.update(latest),
  }
  try {
    const call = () => api.execute_plugin(pluginId, operation, input, options)
    return await withNearest(api, { pluginId, operation }, call)
  } catch (error) {
    if (interrupt.signal.aborted && isPhantomError(error) && error.code === 'CALL_CANCELLED') return null
    throw error
  }
}

function report(result: PluginExecutionResult, json: boolean): void {
  if (!result.success) process.exitCode = CLI_EXIT_CODES.plugin_failed
  if (json) return printJson(result)
  for (const warning of result.warnings) {
    noteLine(`${paint('yellow', 'warning:', process.stderr)} ${printable(warning)}`)
  }
  if (result.success) return printJson(result.result)
  // What the plugin said on its way to the failure is what its author looks for.
  for (const line of result.logs) noteLine(paint('gray', printable(line), process.stderr))
  const title = paint(['red', 'bold'], `${result.plugin_id} failed:`, process.stderr)
  noteLine(`${title} ${printable(result.error ?? 'it gave no reason')}`)
}
