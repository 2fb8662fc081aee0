import type { Command } from 'commander'
import { RUNTIME_SOURCES } from '../contract/runtime-source.ts'
import type { DaemonStatus } from '../contract/system-methods.ts'
import { commonOptions } from './common-options.ts'
import { formatBytes, formatDuration } from './figures.ts'
import { examples } from './help-examples.ts'
import { formatRunning } from './metrics.ts'
import { attachSystem } from './open-system.ts'
import { printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { section } from './section.ts'
import { formatFields } from './table.ts'

export function defineStatus(program: Command): void {
  program
    .command('status')
    .description('show the running daemon and its running plugins; exit code 7 when none runs')
    .addHelpText(
      'after',
      examples('phantom status', 'phantom status --socket /run/phantom/phantom.sock --json'),
    )
    .action(async (_own: unknown, command: Command) => {
      const options = commonOptions(command)
      await using system = await attachSystem(options)
      const [status, metrics] = await Promise.all([system.api.get_status(), system.api.get_metrics()])
      const running = metrics.plugins.filter((plugin) => plugin.instances > 0)
      if (options.json) return printJson({ ...status, running })
      printLines([
        ...formatStatus(status),
        // What the weaker tier lacks is nobody's to look for; the other's rest is in "phantom doctor".
        ...section(
          'Not held by tier process',
          status.tier === 'process' ? status.not_held.map(printableLine) : [],
        ),
        ...section('Running', formatRunning(running)),
      ])
    })
}

export function formatStatus(status: DaemonStatus): string[] {
  const { calls, plugins, runtime_source: source } = status
  const decided = source == null ? '' : ` (${RUNTIME_SOURCES[source]})`
  const states = Object.entries(plugins.by_state).map(([state, count]) => `${count} ${state}`)
  const held = status.tier === status.required_tier ? '' : ` (required at least: ${status.required_tier})`
  return formatFields([
    ['daemon', `${status.version}, process ${status.pid}, uid ${status.uid}, ${status.runtime}${decided}`],
    [
      'up',
      `${formatDuration(status.uptime_ms)}${status.private ? ', private: ends with its last application' : ''}`,
    ],
    ['environment', printableLine(status.environment)],
    ['plugins', `${plugins.total}${states.length === 0 ? '' : `: ${states.join(', ')}`}`],
    ['isolation', `${status.tier}${held}`],
    ...(status.permissions_mode === 'observe'
      ? [['permissions', 'OBSERVED, NOT ENFORCED (permissions.mode: observe)'] as const]
      : []),
    ...(status.policy_problem === null
      ? []
      : [['policy', `NOT TAKEN: ${printableLine(status.policy_problem.replaceAll('\n', ' '))}`] as const]),
    ['processes', `${status.instances} of plugins, ${status.clients} connected applications`],
    ['calls', `${calls.total}: ${calls.in_flight} running, ${calls.queued} queued, ${calls.failed} failed`],
    ['memory', `${formatBytes(status.memory_bytes)} (the daemon alone)`],
    ['directory', printableLine(status.plugin_directory)],
    ['state', printableLine(status.state_directory)],
    ['socket', printableLine(status.socket)],
  ])
}
