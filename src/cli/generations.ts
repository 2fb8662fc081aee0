import type { Command } from 'commander'
import type { GenerationInfo, GenerationState } from '../contract/generations.ts'
import { commonOptions } from './common-options.ts'
import { formatAge } from './figures.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { noteLine, paint, printJson, printLines } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatTable } from './table.ts'

/** Enough to tell two apart. */
const DIGEST_CHARS = 8
const COLOUR_OF = {
  current: 'green',
  probation: 'yellow',
  superseded: 'gray',
  rejected: 'red',
  rolled_back: 'red',
} as const satisfies Record<GenerationState, string>

export function defineGenerations(program: Command): void {
  program
    .command('generations')
    .argument('<plugin>', 'id of the plugin')
    .description("show a plugin's generations, also the rejected ones and why; the newest first")
    .addHelpText('after', examples('phantom generations data_processor', 'phantom rollback data_processor 3'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const generations = await withNearest(api, { pluginId }, () => api.get_generations(pluginId))
      if (options.json) return printJson(generations)
      if (generations.length === 0) noteLine(`"${pluginId}" has no generation yet: its first start makes one`)
      else printLines(formatGenerations(generations, Date.now()))
    })
}

export function formatGenerations(generations: readonly GenerationInfo[], nowMs: number): string[] {
  const rows = generations.map((generation) => ({
    cells: [
      String(generation.generation),
      { text: generation.state, paint: (text: string) => paint(COLOUR_OF[generation.state], text) },
      printableLine(generation.version ?? '-'),
      generation.cause,
      formatAge(generation.at, nowMs),
      printableLine(generation.digest?.slice(0, DIGEST_CHARS) ?? '-'),
      generation.kept ? 'kept' : 'gone',
    ],
    below: generation.failure === null ? [] : describeFailure(generation.failure),
  }))
  const heads = ['GENERATION', 'STATE', 'VERSION', 'CAUSE', 'WHEN', 'DIGEST', 'FILES']
  return formatTable([{ cells: heads }, ...rows])
}

function describeFailure({ gate, message }: NonNullable<GenerationInfo['failure']>): string[] {
  return printable(`at ${gate}: ${message}`).split('\n')
}
