import type { Command } from 'commander'
import { DENIAL_KINDS } from '../contract/denial.ts'
import type { PluginMetrics, SystemMetrics } from '../contract/health.ts'
import { callCells, formatCalls, formatCpu, formatMemory, formatQueue, formatTimes } from './call-figures.ts'
import { commonOptions } from './common-options.ts'
import { formatBytes, formatDuration, formatShare } from './figures.ts'
import { examples } from './help-examples.ts'
import { attachSystem } from './open-system.ts'
import { printableLine } from './printable.ts'
import { formatFields, formatTable } from './table.ts'
import { showOnce, watch } from './watch.ts'

export function defineMetrics(program: Command): void {
  program
    .command('metrics')
    .description(
      'show the figures of the running daemon: calls, times, queues, memory, CPU, network, denials',
    )
    .option('-w, --watch', 'every second anew, until Ctrl-C; with --json one document a line')
    .addHelpText('after', examples('phantom metrics --watch', 'phantom metrics --json'))
    .action(async (own: { watch?: boolean }, command: Command) => {
      const options = commonOptions(command)
      await using system = await attachSystem(options)
      const shown = { ask: () => system.api.get_metrics(), format: formatMetrics, json: options.json }
      await (own.watch === true ? watch(shown) : showOnce(shown))
    })
}

/** The whole, then the plugins that did or do something, the busiest first. */
export function formatMetrics(metrics: SystemMetrics): string[] {
  const { daemon, calls } = metrics
  const busy = metrics.plugins
    .filter((plugin) => plugin.instances > 0 || plugin.calls.total > 0 || plugin.queue.waiting > 0)
    .toSorted((left, right) => right.calls.total - left.calls.total)
  const quiet = metrics.plugins.length - busy.length
  return [
    ...formatFields([
      ['up', formatDuration(metrics.uptime_ms)],
      ['calls', formatCalls(calls)],
      ['success', `${formatShare(calls.success_rate)}, errors ${formatShare(calls.error_rate)}`],
      ['times', formatTimes(calls.times)],
      ['queue', formatQueue(metrics.queue)],
      ['processes', `${metrics.instances} of plugins, ${metrics.restarts} restarts`],
      ['daemon', formatDaemon(daemon)],
    ]),
    ...(busy.length === 0 ? [] : ['', ...formatPlugins(busy)]),
    ...formatNetwork(metrics.plugins),
    ...formatDenials(metrics.plugins),
    ...(quiet === 0
      ? []
      : ['', `${quiet} ${quiet === 1 ? 'plugin' : 'plugins'} without a process or a call`]),
  ]
}

function formatDaemon(daemon: SystemMetrics['daemon']): string {
  const delay = `event loop delay p99 ${formatDuration(daemon.event_loop_delay_p99_ms)}`
  return `${formatBytes(daemon.memory_bytes)}, CPU ${formatDuration(daemon.cpu_time_ms)}, ${delay}`
}

function formatPlugins(plugins: readonly PluginMetrics[]): string[] {
  const heads = [
    'PLUGIN',
    'CALLS',
    'SUCCESS',
    'P50',
    'P95',
    'P99',
    'RUNNING',
    'WAITING',
    'RESTARTS',
    'MEMORY',
    'CPU',
  ]
  const rows = plugins.map((plugin) => ({
    cells: [
      printableLine(plugin.plugin_id),
      ...callCells(plugin.calls),
      String(plugin.queue.in_flight),
      String(plugin.queue.waiting),
      String(plugin.restarts),
      formatMemory(plugin.memory_bytes),
      formatCpu(plugin.cpu_time_ms, plugin.cpu_share),
    ],
  }))
  return formatTable([{ cells: heads }, ...rows])
}

/** What went through the daemon's proxy; nothing where nothing did. */
function formatNetwork(plugins: readonly PluginMetrics[]): string[] {
  const rows = plugins
    .filter(({ network }) => network.requests > 0)
    .map(({ plugin_id, network }) => ({
      cells: [
        printableLine(plugin_id),
        String(network.requests),
        String(network.connections),
        formatBytes(network.bytes),
      ],
    }))
  if (rows.length === 0) return []
  return ['', ...formatTable([{ cells: ['PLUGIN', 'REQUESTS', 'TUNNELS', 'NETWORK'] }, ...rows])]
}

/** What plugins were refused; nothing where none was. */
function formatDenials(plugins: readonly PluginMetrics[]): string[] {
  const rows = plugins.flatMap(({ plugin_id, denials }) =>
    DENIAL_KINDS.filter((kind) => denials[kind] > 0).map((kind) => ({
      cells: [printableLine(plugin_id), kind, String(denials[kind])],
    })),
  )
  if (rows.length === 0) return []
  return ['', ...formatTable([{ cells: ['PLUGIN', 'DENIED', 'TIMES'] }, ...rows])]
}

/** `phantom status`: plugins that have a process. */
export function formatRunning(plugins: readonly PluginMetrics[]): string[] {
  const rows = plugins.map((plugin) => ({
    cells: [
      printableLine(plugin.plugin_id),
      String(plugin.generation),
      String(plugin.instances),
      String(plugin.calls.total),
      String(plugin.queue.in_flight),
      String(plugin.queue.waiting),
      String(plugin.restarts),
      formatMemory(plugin.memory_bytes),
    ],
  }))
  const heads = ['PLUGIN', 'GENERATION', 'PROCESSES', 'CALLS', 'RUNNING', 'WAITING', 'RESTARTS', 'MEMORY']
  return rows.length === 0 ? [] : formatTable([{ cells: heads }, ...rows])
}
