import { Argument, type Command } from 'commander'
import { PhantomError } from '../contract/phantom-error.ts'
import type { PluginConfigRevision } from '../contract/plugin-config.ts'
import { commonOptions } from './common-options.ts'
import { formatUpdate } from './config-edit.ts'
import { formatAge } from './figures.ts'
import { examples } from './help-examples.ts'
import { diffText, type DiffLine } from './line-diff.ts'
import { openSystem } from './open-system.ts'
import { noteLine, paint, printJson, printLine, printLines } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable } from './table.ts'
import { wholeNumber } from './whole-number.ts'

const LOOK_OF = {
  same: { mark: ' ', colour: null },
  removed: { mark: '-', colour: 'red' },
  added: { mark: '+', colour: 'green' },
  gap: { mark: '…', colour: 'gray' },
} as const satisfies Record<DiffLine['kind'], { mark: string; colour: string | null }>

/** As commander hands them over, the options before the command. */
type DiffOperands = [from: number | undefined, to: number | undefined, own: unknown, command: Command]

/** Two revisions, the earlier one first unless they were named otherwise. */
interface Compared {
  from: PluginConfigRevision
  to: PluginConfigRevision
}

export function defineConfigRevisions(config: Command): void {
  defineHistory(config)
  defineDiff(config)
  defineRollback(config)
}

function defineHistory(config: Command): void {
  config
    .command('history')
    .argument('<plugin>', 'id of the plugin')
    .description("show the kept revisions of a plugin's configuration, the newest first")
    .addHelpText('after', examples('phantom config history data_processor'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const revisions = await withNearest(api, { pluginId }, () => api.get_plugin_config_history(pluginId))
      if (options.json) return printJson(revisions)
      if (revisions.length === 0) noteLine(`The configuration of "${pluginId}" has no revision yet`)
      else printLines(formatRevisions(revisions, Date.now()))
    })
}

function defineDiff(config: Command): void {
  config
    .command('diff')
    .argument('<plugin>', 'id of the plugin')
    .addArgument(revisionArgument('[from]', 'a revision (default: the one before the newest)'))
    .addArgument(revisionArgument('[to]', 'another (default: the newest)'))
    .description("show what changed between two revisions of a plugin's configuration")
    .addHelpText(
      'after',
      examples('phantom config diff data_processor', 'phantom config diff data_processor 3 5'),
    )
    .action(async (pluginId: string, ...[from, to, , command]: DiffOperands) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const revisions = await withNearest(api, { pluginId }, () => api.get_plugin_config_history(pluginId))
      const compared = pickRevisions(revisions, pluginId, { from, to })
      const lines = diffText(compared.from.text, compared.to.text)
      if (options.json) return printJson({ ...compared, lines })
      printLines(formatDiff(compared, lines, Date.now()))
    })
}

function defineRollback(config: Command): void {
  config
    .command('rollback')
    .argument('<plugin>', 'id of the plugin')
    .addArgument(revisionArgument('<revision>', 'its number, see "phantom config history"'))
    .description("write an earlier revision of a plugin's configuration anew, and apply it")
    .addHelpText('after', examples('phantom config rollback data_processor 3'))
    .action(async (pluginId: string, revision: number, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const call = () => api.rollback_plugin_config(pluginId, revision)
      const update = await withNearest(api, { pluginId }, call)
      if (options.json) return printJson(update)
      printLine(formatUpdate(update))
    })
}

function revisionArgument(name: string, description: string): Argument {
  return new Argument(name, description).argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER))
}

export function formatRevisions(revisions: readonly PluginConfigRevision[], nowMs: number): string[] {
  const rows = revisions.map(({ revision, at, source }) => ({
    cells: [String(revision), formatAge(at, nowMs), printableLine(source)],
  }))
  return formatTable([{ cells: ['REVISION', 'WHEN', 'BY'] }, ...rows])
}

/** @throws PhantomError REVISION_NOT_FOUND */
export function pickRevisions(
  revisions: readonly PluginConfigRevision[],
  pluginId: string,
  asked: { from: number | undefined; to: number | undefined },
): Compared {
  const ordered = revisions.toSorted((left, right) => right.revision - left.revision)
  const kept = ordered.map(({ revision }) => revision)
  const named = (wanted: number): PluginConfigRevision => {
    const found = ordered.find(({ revision }) => revision === wanted)
    if (found !== undefined) return found
    const those = kept.length === 0 ? 'none is kept' : `kept are ${kept.toReversed().join(', ')}`
    throw notFound(`Cannot find revision ${wanted} of the configuration of "${pluginId}": ${those}`, kept)
  }
  const to = asked.to === undefined ? ordered[0] : named(asked.to)
  const from = asked.from === undefined ? ordered[1] : named(asked.from)
  if (from !== undefined && to !== undefined) return { from, to }
  const found = kept.length === 0 ? 'it has no revision yet' : 'it has one revision alone'
  throw notFound(`Cannot compare revisions of the configuration of "${pluginId}": ${found}`, kept)
}

function notFound(what: string, kept: readonly number[]): PhantomError {
  return new PhantomError('REVISION_NOT_FOUND', `${what}. "phantom config history" shows them`, {
    details: { kept },
  })
}

export function formatDiff({ from, to }: Compared, lines: readonly DiffLine[], nowMs: number): string[] {
  if (lines.length === 0) return [`Revisions ${from.revision} and ${to.revision} are the same`]
  return [
    paint('red', `--- ${describe(from, nowMs)}`),
    paint('green', `+++ ${describe(to, nowMs)}`),
    ...lines.map(formatDiffLine),
  ]
}

function describe({ revision, at, source }: PluginConfigRevision, nowMs: number): string {
  return `revision ${revision}  ${formatAge(at, nowMs)}, ${printableLine(source)}`
}

function formatDiffLine({ kind, text }: DiffLine): string {
  const { mark, colour } = LOOK_OF[kind]
  const line = `${mark} ${printable(text)}`.trimEnd()
  return colour === null ? line : paint(colour, line)
}
