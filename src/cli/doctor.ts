import type { Command } from 'commander'
import type { ErrorCode } from '../contract/error-codes.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { isPhantomError, type PhantomError } from '../contract/phantom-error.ts'
import type { DoctorCheck, DoctorReport } from '../contract/doctor-report.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { openSystemAnywhere } from './open-system.ts'
import { paint, printJson, printLine } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { runtimeWords } from './runtime-words.ts'
import { section } from './section.ts'
import { formatTable } from './table.ts'

const START_FAILURES: ReadonlySet<ErrorCode> = new Set([
  'RUNTIME_NOT_FOUND',
  'SANDBOX_UNAVAILABLE',
  'DAEMON_UNREACHABLE',
  'DAEMON_LOST',
])

/** Without a daemon only the check that says why is known. */
type Report =
  | DoctorReport
  | { tier: null; required_tier: null; not_held: null; runtime: null; checks: DoctorCheck[] }

export function defineDoctor(program: Command): void {
  program
    .command('doctor')
    .description('say what this machine can enforce, by what, and how to mend what it cannot')
    .addHelpText('after', examples('phantom doctor', 'phantom doctor --environment production --json'))
    .action(async (_own: unknown, command: Command) => {
      const options = commonOptions(command)
      const report = await examine(options)
      if (report.checks.some((check) => !check.ok)) process.exitCode = CLI_EXIT_CODES.plugin_failed
      if (options.json) return printJson(report)
      for (const line of formatDoctorReport(report)) printLine(line)
    })
}

async function examine(options: CommonOptions): Promise<Report> {
  try {
    await using system = await openSystemAnywhere(options)
    return await system.api.get_doctor_report()
  } catch (error) {
    if (!isPhantomError(error) || !isFinding(error, options)) throw error
    return { tier: null, required_tier: null, not_held: null, runtime: null, checks: [failedStart(error)] }
  }
}

/** A daemon that cannot start is a finding like any other; a mistake on the command line, or of ours, is none. */
function isFinding(error: PhantomError, options: CommonOptions): boolean {
  return options.socket === undefined && START_FAILURES.has(error.code)
}

/** Our messages end with what to do: the last sentence is the remedy. */
export function failedStart(error: PhantomError): DoctorCheck {
  const [, found = error.message, remedy = null] = /^(.*)\. ([A-Z].*)$/s.exec(error.message) ?? []
  const name = error.code === 'RUNTIME_NOT_FOUND' ? 'runtime' : 'daemon'
  return { name, ok: false, found, mechanism: null, remedy }
}

/** What holds and leaves something to mend holds in part: no failure, and no tick either. */
function markOf({ ok, remedy }: DoctorCheck) {
  const [text, color] = !ok
    ? (['✗', 'red'] as const)
    : remedy === null
      ? (['✓', 'green'] as const)
      : (['!', 'yellow'] as const)
  return { text, paint: (mark: string) => paint(color, mark) }
}

export function formatDoctorReport(report: Report): string[] {
  const rows = report.checks.map((check) => {
    const [found = '', ...more] = printable(check.found).split('\n')
    return {
      cells: [markOf(check), printableLine(check.name), printableLine(check.mechanism ?? '-'), found],
      below: [...more, ...(check.remedy === null ? [] : [`   to mend: ${printableLine(check.remedy)}`])],
    }
  })
  const table = formatTable([{ cells: ['', 'CHECK', 'HELD BY', 'FOUND'] }, ...rows])
  if (report.tier === null) return [...table, '', 'No daemon could start, so nothing else was examined']
  return [
    `isolation ${paint('bold', report.tier)}, required at least ${report.required_tier}`,
    `runtime   ${runtimeWords(report.runtime)}`,
    '',
    ...table,
    ...section(`Not held by tier ${report.tier}`, report.not_held.map(printableLine)),
  ]
}
