import type { Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import type { Incident } from '../contract/generations.ts'
import type { PluginState } from '../contract/life.ts'
import { commonOptions } from './common-options.ts'
import { formatAge } from './figures.ts'
import { examples } from './help-examples.ts'
import { openSystem } from './open-system.ts'
import { paint, printJson, printLines } from './output.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatFields } from './table.ts'
import { wholeNumber } from './whole-number.ts'

/** The contract's ceiling of `limit`. */
const MAX_INCIDENTS = 1_000
const DEFAULT_INCIDENTS = 5

const WORDS_OF = {
  exit: 'process ended',
  start_failed: 'start failed',
  gave_up: 'given up',
  reload_rejected: 'reload rejected',
  rolled_back: 'rolled back',
  breaker_opened: 'breaker opened',
} as const satisfies Record<Incident['kind'], string>

export interface Why {
  plugin_id: string
  /** Null where a plugin is gone and only its incidents are left. */
  state: PluginState | null
  reason: string | null
  incidents: Incident[]
}

export function defineWhy(program: Command): void {
  program
    .command('why')
    .argument('<plugin>', 'id of the plugin')
    .description('say what went wrong with a plugin, when, under which limits, and what was done about it')
    .option('-n, --limit <count>', 'how many incidents', wholeNumber(1, MAX_INCIDENTS), DEFAULT_INCIDENTS)
    .addHelpText('after', examples('phantom why data_processor', 'phantom why data_processor -n 50 --json'))
    .action(async (pluginId: string, own: { limit: number }, command: Command) => {
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const why = await withNearest(api, { pluginId }, () => findOut(api, pluginId, own.limit))
      if (options.json) return printJson(why)
      printLines(formatWhy(why, Date.now()))
    })
}

async function findOut(api: PluginSystemApi, pluginId: string, limit: number): Promise<Why> {
  const [plugins, incidents] = await Promise.all([api.list_plugins(), api.get_incidents(pluginId, limit)])
  const plugin = plugins.find(({ id }) => id === pluginId)
  return { plugin_id: pluginId, state: plugin?.state ?? null, reason: plugin?.reason ?? null, incidents }
}

/** How the plugin stands, then its incidents, the newest first. */
export function formatWhy(why: Why, nowMs: number): string[] {
  const state = why.state === null ? 'not loaded' : paintState(why.state, why.state)
  const reason = why.reason === null ? [] : printable(why.reason).split('\n')
  const nothing = why.incidents.length === 0 ? ['', 'Nothing went wrong with it that is still known'] : []
  return [
    `${paint('bold', printableLine(why.plugin_id))}  ${state}`,
    ...reason.map((line) => `  ${line}`),
    ...nothing,
    ...why.incidents.flatMap((incident) => ['', ...formatIncident(incident, nowMs)]),
  ]
}

function formatIncident(incident: Incident, nowMs: number): string[] {
  const kind = `${WORDS_OF[incident.kind]}${incident.class === null ? '' : ` (${incident.class})`}`
  const limits = Object.entries(incident.limits).map(([name, value]) => `${printableLine(name)} ${value}`)
  const facts: [string, string | null][] = [
    ['at', incident.at],
    ['generation', String(incident.generation)],
    ['workspace', incident.workspace],
    ['limits', limits.join(', ')],
    ['action', incident.action],
  ]
  const fields = facts.flatMap(([label, value]) =>
    value === null || value === '' ? [] : [[label, printableLine(value)] as const],
  )
  return [
    `${formatAge(incident.at, nowMs)}  ${paint('red', kind)}`,
    ...printable(incident.message)
      .split('\n')
      .map((line) => `  ${line}`),
    ...formatFields(fields, '  '),
    ...(incident.log.length === 0 ? [] : ['  last log lines']),
    ...incident.log.map((line) => paint('gray', `    ${printableLine(line)}`)),
  ]
}
