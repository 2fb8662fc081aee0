import type { Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { BreakerInfo, BreakerState, HealthStatus, PluginHealth } from '../contract/health.ts'
import { isPhantomError } from '../contract/phantom-error.ts'
import { callRows, formatCalls, formatCpu, formatMemory, formatQueue, formatTimes } from './call-figures.ts'
import { commonOptions } from './common-options.ts'
import { formatAge, formatDuration, formatShare } from './figures.ts'
import { examples } from './help-examples.ts'
import { attachSystem } from './open-system.ts'
import { paint } from './output.ts'
import { printable, printableJson, printableLine } from './printable.ts'
import { section } from './section.ts'
import { withNearest } from './suggest-plugin.ts'
import { formatFields, formatTable, type Cell } from './table.ts'
import { showOnce, watch, type Shown } from './watch.ts'

/** Open requests at a time: each may ask a plugin for its own words. */
const ASKED_AT_ONCE = 32

const COLOUR_OF_STATUS = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: 'red',
  idle: 'gray',
  unknown: 'gray',
} as const satisfies Record<HealthStatus, string>
const COLOUR_OF_BREAKER = {
  closed: 'green',
  half_open: 'yellow',
  open: 'red',
} as const satisfies Record<BreakerState, string>

export function defineHealth(program: Command): void {
  program
    .command('health')
    .argument('[plugin]', 'id of the plugin (default: an overview of all)')
    .description('show how plugins are; exit code 1 when one is unhealthy')
    .option('-w, --watch', 'every second anew, until Ctrl-C; with --json one document a line')
    .addHelpText('after', examples('phantom health', 'phantom health data_processor --watch'))
    .action(async (pluginId: string | undefined, own: { watch?: boolean }, command: Command) => {
      const { json, ...options } = commonOptions(command)
      await using system = await attachSystem({ json, ...options })
      const { api } = system
      if (pluginId === undefined) {
        await show({ ask: () => healthOfAll(api), format: formatHealthTable, json }, own.watch === true)
      } else {
        const ask = () => withNearest(api, { pluginId }, () => api.get_plugin_health(pluginId))
        await show({ ask, format: (health) => formatHealth(health, Date.now()), json }, own.watch === true)
      }
    })
}

async function show<T extends PluginHealth | PluginHealth[]>(
  shown: Shown<T>,
  isWatched: boolean,
): Promise<void> {
  if (isWatched) return await watch(shown)
  const answer = await showOnce(shown)
  if ([answer].flat().some(({ status }) => status === 'unhealthy'))
    process.exitCode = CLI_EXIT_CODES.plugin_failed
}

async function healthOfAll(api: PluginSystemApi): Promise<PluginHealth[]> {
  const plugins = await api.list_plugins()
  const found: (PluginHealth | null)[] = []
  for (let at = 0; at < plugins.length; at += ASKED_AT_ONCE) {
    const some = plugins.slice(at, at + ASKED_AT_ONCE)
    found.push(...(await Promise.all(some.map(({ id }) => healthIfLoaded(api, id)))))
  }
  return found.filter((health) => health !== null)
}

/** Null for a plugin that went away since it was listed. */
async function healthIfLoaded(api: PluginSystemApi, id: string): Promise<PluginHealth | null> {
  try {
    return await api.get_plugin_health(id)
  } catch (error) {
    if (isPhantomError(error) && error.code === 'PLUGIN_NOT_FOUND') return null
    throw error
  }
}

/** One row a plugin, its reasons below. */
export function formatHealthTable(plugins: readonly PluginHealth[]): string[] {
  if (plugins.length === 0) return ['No plugin is loaded']
  const heads = ['PLUGIN', 'STATUS', 'CALLS', 'SUCCESS', 'P99', 'WAITING', 'MEMORY', 'RESTARTS']
  const rows = plugins.map((health) => ({
    cells: [
      printableLine(health.plugin_id),
      statusCell(health.status),
      String(health.calls.total),
      formatShare(health.calls.success_rate),
      health.calls.times === null ? '-' : formatDuration(health.calls.times.p99_ms),
      String(health.queue.waiting),
      formatMemory(health.memory_bytes),
      String(health.restarts),
    ],
    below: health.reasons.map(printableLine),
  }))
  return formatTable([{ cells: heads }, ...rows])
}

export function formatHealth(health: PluginHealth, nowMs: number): string[] {
  const { calls } = health
  const operations = health.operations.map((figures) => ({
    ...figures,
    name: printableLine(figures.operation),
  }))
  return [
    paint('bold', printableLine(health.plugin_id)),
    ...formatFields([
      ['status', statusCell(health.status)],
      ...health.reasons.map((reason) => ['', printableLine(reason)] as const),
      ['state', `${health.state}, generation ${health.generation}`],
      ['calls', formatCalls(calls)],
      ['success', `${formatShare(calls.success_rate)}, errors ${formatShare(calls.error_rate)}`],
      ['times', formatTimes(calls.times)],
      ['queue', formatQueue(health.queue)],
      ['memory', formatMemory(health.memory_bytes)],
      ['CPU', formatCpu(health.cpu_time_ms, health.cpu_share)],
      ['up', health.uptime_ms === null ? '-' : formatDuration(health.uptime_ms)],
      ['restarts', String(health.restarts)],
      ['last error', formatLastError(health.last_error, nowMs)],
    ]),
    ...section('Operations', operations.length === 0 ? [] : formatTable(callRows('OPERATION', operations))),
    ...section('Breakers', formatBreakers(health.breakers)),
    ...section(
      'Says of itself',
      health.reported.map(({ workspace, health: said, problem }) => {
        const words = problem === null ? printableJson(said) : printableLine(problem)
        return `${printableLine(workspace)}  ${words}`
      }),
    ),
  ]
}

export function formatBreakers(breakers: readonly BreakerInfo[]): string[] {
  if (breakers.length === 0) return []
  const rows = breakers.map((breaker) => ({
    cells: [
      printableLine(breaker.operation),
      { text: breaker.state, paint: (text: string) => paint(COLOUR_OF_BREAKER[breaker.state], text) },
      formatShare(breaker.failure_rate),
      breaker.retry_in_ms === null ? '-' : `in ${formatDuration(breaker.retry_in_ms)}`,
    ],
  }))
  return formatTable([{ cells: ['OPERATION', 'BREAKER', 'FAILURES', 'NEXT TRY'] }, ...rows])
}

function statusCell(status: HealthStatus): Cell {
  return { text: status, paint: (text) => paint(COLOUR_OF_STATUS[status], text) }
}

function formatLastError(error: PluginHealth['last_error'], nowMs: number): string {
  if (error === null) return 'none'
  const where = `${error.code} in ${printableLine(error.operation)}`
  const [words = '', ...more] = printable(error.message).split('\n')
  return `${formatAge(error.at, nowMs)}, ${where}: ${words}${more.length === 0 ? '' : ' …'}`
}
