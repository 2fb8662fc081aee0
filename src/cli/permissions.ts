import type { Command } from 'commander'
import type { PluginPermissions, RightInfo, RightRisk } from '../contract/permissions-info.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { paint, printJson, printLines } from './output.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableLine } from './printable.ts'
import { section } from './section.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable, type Cell } from './table.ts'

const COLOUR_OF = { low: 'green', medium: 'yellow', high: 'red' } as const satisfies Record<RightRisk, string>

export function definePermissions(program: Command): void {
  program
    .command('permissions')
    .argument('<plugin>', 'id of the plugin')
    .description('show what a plugin asks for, what of it is approved and held, and by which mechanism')
    .addHelpText('after', examples('phantom permissions data_processor', 'phantom approve my_plugin'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const permissions = await withNearest(api, { pluginId }, () => api.get_permissions(pluginId))
      if (options.json) printJson(permissions)
      else printLines(formatPermissions(permissions))
    })
}

export function formatPermissions(permissions: PluginPermissions): string[] {
  const { plugin_id: id, rights, messages, dropped, digest } = permissions
  return [
    ...formatHead(permissions),
    ...section('Rights', rights.length === 0 ? ['it asks for none'] : formatRights(rights)),
    ...section('Messages', messages.map(formatMessage)),
    ...section('No longer asked for', dropped.map(printableLine)),
    ...section('Approval', [
      formatApproval(permissions),
      `digest of what is asked: ${digest}`,
      `to decide: phantom approve ${printableLine(id)}`,
    ]),
  ]
}

/** Which plugin, and what waits. */
export function formatHead({ plugin_id: id, version, state, waiting }: PluginPermissions): string[] {
  const name = `${paint('bold', printableLine(id))} ${printableLine(version ?? '')}`
  const reason = waiting === null ? [] : printable(waiting).split('\n')
  return [`${name}  ${paintState(state, state)}`, ...reason.map((line) => `  ${line}`)]
}

/** One right as a sentence, `reads "data" in the workspace and all below it`, behind its risk. */
export function formatSentence({ risk, sentence, right, is_new: isNew }: RightInfo): string {
  const mark = isNew ? paint('bold', ' (new)') : ''
  return `${paintRisk(risk, `${risk} risk`)}: it ${printableLine(sentence)}${mark}  ${paint('gray', printableLine(right))}`
}

/** Who may have it act with its rights. */
export function formatMessage({ type, from }: PluginPermissions['messages'][number]): string {
  const senders = from === null ? 'applications' : from.includes('*') ? 'every plugin' : from.join(', ')
  return `it acts on "${printableLine(type)}" from ${printableLine(senders)}, with its own rights`
}

function formatRights(rights: readonly RightInfo[]): string[] {
  const rows = rights.map((right) => ({
    cells: [
      printableLine(right.declared),
      { text: right.risk, paint: (text: string) => paintRisk(right.risk, text) },
      approvedWords(right),
      printableLine(right.effective ?? 'nothing'),
      right.mechanism ?? '-',
    ],
    below: [
      `it ${printableLine(right.sentence)}`,
      ...(right.refused === null ? [] : [paint('yellow', printableLine(right.refused))]),
    ],
  }))
  return formatTable([{ cells: ['DECLARED', 'RISK', 'APPROVED', 'EFFECTIVE', 'HELD BY'] }, ...rows])
}

function approvedWords({ right, approved, is_new: isNew }: RightInfo): Cell | string {
  if (isNew) return { text: 'waits', paint: (text) => paint('yellow', text) }
  if (approved.length === 0) return 'no'
  return approved.length === 1 && approved[0] === right ? 'yes' : approved.map(printableLine).join(', ')
}

function formatApproval({ approval }: PluginPermissions): string {
  if (approval === null) return 'nobody has decided about it'
  const { source, at, actor } = approval
  if (source === 'built_in') return 'comes with the package'
  if (source === 'first_sight') return `by itself at first sight, ${at}: its rights are ordinary ones`
  const uid = actor?.uid ?? null
  const who = actor === null ? '' : ` by ${uid === null ? 'somebody unknown' : `uid ${uid}`}`
  return `${source === 'revoked' ? 'taken back' : 'approved'}${who}, ${at}`
}

function paintRisk(risk: RightRisk, text: string): string {
  return paint(COLOUR_OF[risk], text)
}
