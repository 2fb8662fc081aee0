import { Option, type Command } from 'commander'
import type { AuditActor, AuditOutcome, AuditRecord } from '../contract/audit.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { defineAuditVerify } from './audit-verify.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { Interrupt } from './interrupt.ts'
import { openSystem, type OpenSystem } from './open-system.ts'
import { paint, printJsonLine, printLine, noteLine } from './output.ts'
import { printableJson, printableLine } from './printable.ts'
import { timeOrAge } from './time-or-age.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { wholeNumber } from './whole-number.ts'

/** The contract's ceiling of `limit`. */
const MAX_RECORDS = 10_000
const DEFAULT_RECORDS = 50
const OUTCOME_WIDTH = 7
const COLOUR_OF = {
  begun: 'gray',
  done: 'green',
  refused: 'yellow',
  failed: 'red',
} as const satisfies Record<AuditOutcome, string>

interface AuditOptions {
  /** `--plugin`: `--plugins` of all commands is the directory. */
  plugin?: string
  action?: string
  since?: string
  limit: number
  follow?: boolean
}

export function defineAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('show what operators did and what was refused; with --json one document a line')
    .option('--plugin <id>', 'only what concerns this plugin')
    .option('--action <action>', 'only this action; with a dot at its end all that begin so')
    .addOption(
      new Option('--since <time>', 'ISO 8601, or an age such as 90s, 15m, 2h, 7d').argParser(timeOrAge),
    )
    .option(
      '-n, --limit <count>',
      'how many of the last records',
      wholeNumber(1, MAX_RECORDS),
      DEFAULT_RECORDS,
    )
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .addHelpText(
      'after',
      examples('phantom audit --since 1h', 'phantom audit --action admin. --follow', 'phantom audit verify'),
    )
    .action(async (own: AuditOptions, command: Command) => {
      const common = commonOptions(command)
      await using system = await openSystem(common)
      await showAudit(system, own, common)
    })
  defineAuditVerify(audit)
}

async function showAudit({ api }: OpenSystem, own: AuditOptions, common: CommonOptions): Promise<void> {
  const print = (record: AuditRecord): void =>
    common.json ? printJsonLine(record) : printLine(formatRecord(record))
  using interrupt = new Interrupt(() => undefined)
  let waiting: AuditRecord[] | null = []
  const records = await api.get_audit_log({
    limit: own.limit,
    ...(own.plugin === undefined ? {} : { plugin_id: own.plugin }),
    ...(own.action === undefined ? {} : { action: own.action }),
    ...(own.since === undefined ? {} : { since: own.since }),
    ...(own.follow === true
      ? {
          on_record: (record: AuditRecord) => void (waiting === null ? print(record) : waiting.push(record)),
          signal: interrupt.signal,
        }
      : {}),
  })
  for (const record of [...records, ...waiting]) print(record)
  waiting = null
  if (own.follow !== true) {
    if (records.length === 0 && !common.json) noteLine('No record of the audit log is like that')
    return
  }
  await untilInterrupted(api, interrupt.signal)
  process.exitCode = CLI_EXIT_CODES.interrupted
}

export function formatRecord({ time, outcome, action, plugin_id: id, actor, details }: AuditRecord): string {
  const what = `${paint(COLOUR_OF[outcome], outcome.padEnd(OUTCOME_WIDTH))} ${printableLine(action)}`
  const plugin = id === null ? '' : `  ${printableLine(id)}`
  const facts = Object.keys(details).length === 0 ? '' : `  ${printableJson(details)}`
  return `${printableLine(time)} ${what}${plugin}  by ${whoWords(actor)}${facts}`
}

function whoWords(actor: AuditActor | null): string {
  if (actor === null) return 'the daemon'
  const client = actor.client === null ? '' : `, ${actor.client}`
  if (actor.uid === null) return printableLine(`${actor.identity}${client}`)
  return printableLine(`uid ${actor.uid}, pid ${String(actor.pid)}${client}`)
}
