import type { Command } from 'commander'
import type { AttestationSummary } from '../contract/attestation.ts'
import type { PluginHealth } from '../contract/health.ts'
import type { InstanceInfo, PermissionInfo, PluginInfo } from '../contract/plugin-info.ts'
import { commonOptions } from './common-options.ts'
import { formatBytes, formatDuration } from './figures.ts'
import { formatBreakers } from './health.ts'
import { examples } from './help-examples.ts'
import { formatIssue } from './manifest-issue.ts'
import { limitTable } from './limits.ts'
import { openSystem } from './open-system.ts'
import { paint, printJson, printLines } from './output.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableJson, printableLine } from './printable.ts'
import { section } from './section.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatFields, formatTable, type Cell } from './table.ts'

type Field = readonly [string, Cell | string]

export function defineInfo(program: Command): void {
  program
    .command('info')
    .argument('<plugin>', 'id of the plugin')
    .description('show what a plugin is, may do and does')
    .addHelpText('after', examples('phantom info data_processor', 'phantom info data_processor --json'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const asked = () => Promise.all([api.get_plugin_info(pluginId), api.get_plugin_health(pluginId)])
      const [info, health] = await withNearest(api, { pluginId }, asked)
      if (options.json) return printJson({ ...info, health })
      printLines(formatInfo(info, health))
    })
}

export function formatInfo(info: PluginInfo, health: PluginHealth): string[] {
  return [
    ...formatIdentity(info, health),
    ...section('Rights', formatRights(info.permissions)),
    ...section('Limits', limitTable(info.limits)),
    ...section('Operations', formatOperations(info)),
    ...section('Messages', formatMessages(info)),
    ...section('Processes', formatInstances(info)),
    ...section('Breakers', formatBreakers(health.breakers)),
    ...section('Says of itself', formatReported(info)),
    ...section('Notices', info.notices.map(printableLine)),
    ...section(
      'Issues',
      info.issues.map((issue) => formatIssue(issue)),
    ),
  ]
}

function formatIdentity(info: PluginInfo, health: PluginHealth): string[] {
  const optional: [string, string | null][] = [
    ['author', info.author],
    ['license', info.license],
    ['homepage', info.homepage],
    ['tags', info.tags.join(', ')],
    ['entry point', info.entry_point],
    ['libraries', pairs(info.dependencies)],
    ['needs plugins', pairs(info.plugin_dependencies)],
    ['folder', info.path],
  ]
  const fields: Field[] = optional.flatMap(([label, value]) =>
    value === null || value === '' ? [] : [[label, printableLine(value)] as const],
  )
  const state: Cell = { text: info.state, paint: (text) => paintState(info.state, text) }
  return [
    `${paint('bold', printableLine(info.id))} ${printableLine(info.version)}  ${printableLine(info.name)}`,
    ...(info.description === '' ? [] : [printable(info.description)]),
    '',
    ...formatFields([
      ['type', `${info.type ?? 'unknown'}${info.builtin ? ', built in' : ''}`],
      ['state', state],
      ['generation', `${health.generation}, ${health.restarts} restarts`],
      ...fields,
    ]),
    ...(info.reason === null ? [] : [printable(info.reason)]),
  ]
}

function formatRights(permissions: readonly PermissionInfo[]): string[] {
  if (permissions.length === 0) return ['none: the plugin sees its own folder and its data folder alone']
  const rows = permissions.map((permission) => {
    const declared = printableLine(permission.declared)
    if (permission.effective === null) {
      const refused = `refused: ${printableLine(permission.refused ?? 'no reason was given')}`
      return { cells: [declared, { text: refused, paint: (text: string) => paint('yellow', text) }] }
    }
    return {
      cells: [declared, printableLine(permission.effective), permission.mechanism ?? 'nothing enforces it'],
    }
  })
  return formatTable([{ cells: ['DECLARED', 'EFFECTIVE', 'HELD BY'] }, ...rows])
}

function formatOperations(info: PluginInfo): string[] {
  const rows = info.operation_details.map((operation) => {
    const facts = [
      operation.input_schema === null ? 'input unchecked' : 'input checked',
      ...(operation.idempotent ? ['idempotent'] : []),
      ...(operation.timeout_ms === null ? [] : [`at most ${formatDuration(operation.timeout_ms)}`]),
    ]
    return { cells: [printableLine(operation.name), facts.join(', '), printableLine(operation.description)] }
  })
  return formatTable(rows)
}

function formatMessages({ messages }: PluginInfo): string[] {
  const rows = messages.map(({ type, from, input_schema: schema, description }) => {
    const senders = from === null ? 'from applications' : `from ${from.map(senderWords).join(', ')}`
    const facts = [senders, schema === null ? 'payload unchecked' : 'payload checked']
    return { cells: [printableLine(type), facts.join('; '), printableLine(description)] }
  })
  return formatTable(rows)
}

function senderWords(sender: string): string {
  return sender === '*' ? 'every plugin' : printableLine(sender)
}

function formatInstances(info: PluginInfo): string[] {
  const lines = info.instances.flatMap(formatInstance)
  const exit = info.last_exit
  if (exit === null) return lines
  const end = exit.signal ?? (exit.code === null ? 'no exit code' : `exit code ${exit.code}`)
  return [...lines, `last exit: ${exit.class} (${end}) at ${exit.at}: ${printableLine(exit.message)}`]
}

function formatInstance(instance: InstanceInfo): string[] {
  const facts = [
    `process ${instance.pid ?? '-'}`,
    `uid ${instance.uid ?? '-'}`,
    instance.role === 'active' ? instance.state : `${instance.role} (${instance.state})`,
    `tier ${instance.tier}`,
    `generation ${instance.generation}`,
    `${instance.calls_in_flight} calls`,
    ...(instance.memory_bytes === null ? [] : [formatBytes(instance.memory_bytes)]),
    ...(instance.cpu_time_ms === null ? [] : [`CPU ${formatDuration(instance.cpu_time_ms)}`]),
    ...(instance.ready_ms === null ? [] : [`ready in ${formatDuration(instance.ready_ms)}`]),
  ]
  const attested = instance.attestation === null ? [] : [`  ${formatAttestation(instance.attestation)}`]
  const health = instance.health === null ? [] : [`  health ${printableJson(instance.health)}`]
  return [facts.join(', '), `  workspace ${printableLine(instance.workspace)}`, ...attested, ...health]
}

function formatAttestation({ at, holding, not_readable, not_held }: AttestationSummary): string {
  const rest = [
    ...(not_readable.length === 0 ? [] : [`not readable: ${not_readable.map(printableLine).join(', ')}`]),
    ...(not_held.length === 0 ? [] : [`not held: ${not_held.map(printableLine).join(', ')}`]),
  ]
  return [`attested at ${at}: ${holding} as declared`, ...rest].join('; ')
}

function formatReported(info: PluginInfo): string[] {
  if (info.reported === null) return []
  return Object.entries(info.reported)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name} ${printableJson(value)}`)
}

function pairs(record: Readonly<Record<string, string>>): string {
  return Object.entries(record)
    .map(([name, range]) => `${name} ${range}`)
    .join(', ')
}
