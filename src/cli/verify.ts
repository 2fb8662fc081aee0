import path from 'node:path'
import type { Command } from 'commander'
import type { AttestationItem, PluginAttestation } from '../contract/attestation.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { paint, printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable, type TableRow } from './table.ts'

const MAX_CELL_CHARS = 44

const SHOWN = {
  holds: { text: 'holds', colour: 'green' },
  differs: { text: 'DIFFERS', colour: 'red' },
  not_readable: { text: 'not readable', colour: 'yellow' },
  not_held: { text: 'not held', colour: 'yellow' },
} as const satisfies Record<AttestationItem['verdict'], object>

export function defineVerify(program: Command): void {
  program
    .command('verify')
    .argument('<plugin>', 'id of the plugin')
    .description('read back from the kernel what holds a plugin; exit code 1 when a line differs')
    .option('--workspace <dir>', 'whose process there (default: the current folder)')
    .addHelpText('after', examples('phantom verify data_processor', 'phantom verify data_processor --json'))
    .action(async (pluginId: string, own: { workspace?: string }, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const workspace = path.resolve(own.workspace ?? '.')
      const table = await withNearest(api, { pluginId }, () => api.verify_plugin(pluginId, workspace))
      if (!table.holds) process.exitCode = CLI_EXIT_CODES.plugin_failed
      if (options.json) return printJson(table)
      printLines(formatAttestation(table))
    })
}

function formatAttestation(table: PluginAttestation): string[] {
  const { plugin_id: id, tier, generation, pid, at, workspace, items } = table
  const facts = `tier ${tier}, generation ${generation}, process ${pid ?? '-'}, looked at ${at}`
  return [
    `${paint('bold', printableLine(id))}  ${facts}`,
    `workspace ${printableLine(workspace)}`,
    '',
    ...formatTable([
      { cells: ['ITEM', '', 'DECLARED', 'EFFECTIVE', 'HELD BY', 'PROOF'] },
      ...items.map(rowOf),
    ]),
    '',
    summaryOf(items),
  ]
}

/** Where it differs, both in full. */
function rowOf({ name, declared, effective, mechanism, proof, verdict }: AttestationItem): TableRow {
  const { text, colour } = SHOWN[verdict]
  const whole = [`declared:  ${printableLine(declared)}`, `effective: ${printableLine(effective ?? '-')}`]
  return {
    cells: [
      printableLine(name),
      { text, paint: (word: string) => paint(colour, word) },
      shortened(declared),
      shortened(effective ?? '-'),
      shortened(mechanism ?? 'nothing'),
      shortened(proof ?? '-'),
    ],
    below: verdict === 'differs' ? whole : [],
  }
}

function shortened(text: string): string {
  const line = printableLine(text)
  return line.length <= MAX_CELL_CHARS ? line : `${line.slice(0, MAX_CELL_CHARS - 1)}…`
}

function summaryOf(items: readonly AttestationItem[]): string {
  const count = (verdict: AttestationItem['verdict']): number =>
    items.filter((item) => item.verdict === verdict).length
  const words = [
    `${count('holds')} as declared`,
    ...(count('differs') === 0
      ? []
      : [paint('red', `${count('differs')} differ: no code of the plugin has run`)]),
    ...(count('not_readable') === 0 ? [] : [`${count('not_readable')} not readable`]),
    ...(count('not_held') === 0 ? [] : [`${count('not_held')} not held here`]),
  ]
  return words.join(', ')
}
