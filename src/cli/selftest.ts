import { setTimeout as delay } from 'node:timers/promises'
import { Option, type Command } from 'commander'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { IsolationTier } from '../contract/life.ts'
import { commonOptions } from './common-options.ts'
import { formatDuration } from './figures.ts'
import { examples } from './help-examples.ts'
import { Interrupt } from './interrupt.ts'
import { noteLine, paint, printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { ProgressLine } from './progress-line.ts'
import type { ProbeResult } from './selftest/run-probe.ts'
import type { SuiteReport } from './selftest/run-suite.ts'
import { formatTable } from './table.ts'

interface SelftestOptions {
  tier?: IsolationTier
  only: string[]
  list?: boolean
}

export function defineSelftest(program: Command): void {
  program
    .command('selftest')
    .description('attack the sandbox of this machine with hostile plugins, and show what held')
    .addOption(
      new Option('--tier <tier>', 'isolation to attack (default: the best that this machine has)').choices([
        'namespace',
        'process',
      ]),
    )
    .option('--only <id>', 'this probe alone; may be given several times', collect, [])
    .option('--list', 'name the probes and run none')
    .addHelpText(
      'after',
      examples(
        'phantom selftest',
        'phantom selftest --tier process',
        'phantom selftest --only links-shipped --json',
      ),
    )
    .action(async (own: SelftestOptions, command: Command) => {
      const { json } = commonOptions(command)
      const { selectProbes } = await import('./selftest/run-suite.ts')
      const probes = selectProbes(own.only)
      if (own.list === true) {
        const list = probes.map(({ id, area, tries }) => ({ id, area, tries }))
        return json
          ? printJson(list)
          : printLines(formatTable(list.map(({ id, tries }) => ({ cells: [id, tries] }))))
      }
      const report = await run(own.tier ?? null, own.only)
      if (report === null) return
      if (!report.passed) process.exitCode = CLI_EXIT_CODES.plugin_failed
      if (json) return printJson(report)
      printLines(formatSuiteReport(report))
    })
}

const SIGNAL_MS = 20

async function run(tier: IsolationTier | null, only: readonly string[]): Promise<SuiteReport | null> {
  const { runSuite, selectProbes } = await import('./selftest/run-suite.ts')
  const probes = selectProbes(only)
  using line = new ProgressLine(process.stderr, 'selftest')
  using interrupt = new Interrupt(() => line.say('Ending the probe that runs, and removing what was made'))
  const running = runSuite({
    tier,
    probes,
    signal: interrupt.signal,
    onProbe: (probe, at) =>
      line.update({ execution_id: probe.id, fraction: at / probes.length, message: probe.id }),
  })
  const report = await running.catch(async (error: unknown) => {
    // A terminal's Ctrl-C goes to all that the suite has started, too: what ended by it is no fault of the suite's. And
    // of a program that was waited for we hear before the event loop hears of the signal.
    await delay(SIGNAL_MS)
    if (!interrupt.signal.aborted) throw error
    return null
  })
  if (!interrupt.signal.aborted) return report
  noteLine(`Ended after ${report?.results.length ?? 0} of ${probes.length} probes`)
  process.exitCode = CLI_EXIT_CODES.interrupted
  return null
}

function formatSuiteReport(report: SuiteReport): string[] {
  const { results, tier, left_processes: left } = report
  const rows = results.map((result) => ({
    cells: [
      { text: result.ok ? '✓' : '✗', paint: (text: string) => paint(result.ok ? 'green' : 'red', text) },
      result.id,
      result.expected === 'held' ? 'held' : 'nothing',
      verdictOf(result),
      printableLine(result.found),
    ],
    below: result.ok ? [] : [`   it ${printableLine(result.tries)}`],
  }))
  const table = formatTable([{ cells: ['', 'PROBE', 'PROMISED', 'VERDICT', 'SEEN'] }, ...rows])
  return [
    ...table,
    ...left.map((pid) => `process ${pid} outlived the daemon`),
    '',
    `isolation ${tier}: ${summaryOf(results)}, in ${formatDuration(report.duration_ms)}`,
  ]
}

function verdictOf({ outcome, expected, tier }: ProbeResult): string {
  switch (outcome) {
    case 'open':
      return expected === 'held' ? 'ESCAPED' : `not held here (tier ${tier})`
    case 'unclear':
      return 'UNCLEAR'
    default:
      return outcome
  }
}

function summaryOf(results: readonly ProbeResult[]): string {
  const count = (isOne: (result: ProbeResult) => boolean): number => results.filter(isOne).length
  const parts: readonly (readonly [number, string])[] = [
    [count(({ outcome }) => outcome === 'held'), 'held'],
    [count(({ outcome, ok }) => outcome === 'open' && ok), 'not held here'],
    [count(({ outcome, ok }) => outcome === 'open' && !ok), 'escaped'],
    [count(({ outcome }) => outcome === 'unclear'), 'unclear'],
    [count(({ outcome }) => outcome === 'skipped'), 'skipped'],
  ]
  return parts
    .filter(([number], at) => number > 0 || at === 0)
    .map(([number, word]) => `${number} ${word}`)
    .join(', ')
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}
