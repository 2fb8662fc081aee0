import {
  PRIORITIES,
  type BreakerInfo,
  type PluginHealth,
  type PluginMetrics as PluginMetricsReport,
  type QueueFigures,
  type SystemMetrics,
} from '../../src/contract/health.ts'
import type { PluginState } from '../../src/contract/life.ts'
import { CallCounters } from './call-counters.ts'
import { judgeHealth } from './health-status.ts'
import type { Moment, PluginMetrics } from './plugin-metrics.ts'
import type { ResourceSample } from './resource-monitor.ts'

/** What a plugin is at this moment, from those who run it. */
export interface LivePlugin {
  readonly pluginId: string
  readonly state: PluginState
  readonly generation: number
  readonly instances: number
  /** Of its processes; one that was not sampled yet is missing. */
  readonly samples: readonly ResourceSample[]
  readonly queue: QueueFigures
  readonly metrics: PluginMetrics
}

/** What only the description of its health needs. */
export interface LiveHealth {
  readonly stateReason: string | null
  readonly isObserving: boolean
  readonly maxQueuedCalls: number
  readonly breakers: readonly BreakerInfo[]
  /** Of the oldest of its processes that are ready. */
  readonly uptimeMs: number | null
  readonly reported: PluginHealth['reported']
}

export function describePluginHealth(plugin: LivePlugin, health: LiveHealth, moment: Moment): PluginHealth {
  const { metrics } = plugin
  const { stateReason, isObserving, maxQueuedCalls, breakers, uptimeMs, reported } = health
  const { instances, ...figures } = describePluginMetrics(plugin)
  return {
    ...figures,
    ...judgeHealth({
      state: plugin.state,
      stateReason,
      isObserving,
      instances,
      breakers,
      recent: metrics.recent(moment.nowMs),
      recentRestarts: metrics.recentRestarts(moment.nowMs),
      queue: { waiting: plugin.queue.waiting, limit: maxQueuedCalls },
      reported,
    }),
    breakers: [...breakers],
    uptime_ms: uptimeMs,
    last_error: metrics.lastError(moment),
    reported,
  }
}

export function describePluginMetrics(plugin: LivePlugin): PluginMetricsReport {
  const { pluginId, state, generation, instances, samples, queue, metrics } = plugin
  const shares = samples.flatMap(({ cpuShare }) => (cpuShare === null ? [] : [cpuShare]))
  return {
    plugin_id: pluginId,
    state,
    generation,
    instances,
    restarts: metrics.restarts,
    memory_bytes: samples.length === 0 ? null : sum(samples.map(({ memoryBytes }) => memoryBytes)),
    cpu_time_ms: metrics.endedCpuMs + sum(samples.map(({ cpuTimeMs }) => cpuTimeMs)),
    cpu_share: shares.length === 0 ? null : sum(shares),
    calls: metrics.total().figures(),
    operations: metrics.operations(),
    queue,
    denials: { ...metrics.denials },
    network: { ...metrics.network },
  }
}

export function describeSystem(
  plugins: readonly LivePlugin[],
  daemon: SystemMetrics['daemon'],
  moment: Moment & { readonly uptimeMs: number },
): SystemMetrics {
  const calls = new CallCounters()
  for (const { metrics } of plugins) calls.merge(metrics.total())
  return {
    at: new Date(moment.epochMs).toISOString(),
    uptime_ms: moment.uptimeMs,
    daemon,
    calls: calls.figures(),
    queue: addQueues(plugins.map(({ queue }) => queue)),
    instances: sum(plugins.map(({ instances }) => instances)),
    restarts: sum(plugins.map(({ metrics }) => metrics.restarts)),
    plugins: plugins.map(describePluginMetrics),
  }
}

function addQueues(queues: readonly QueueFigures[]): QueueFigures {
  const total: QueueFigures = {
    waiting: 0,
    in_flight: 0,
    by_priority: { low: 0, normal: 0, high: 0, critical: 0 },
    oldest_ms: 0,
    refused: 0,
  }
  for (const queue of queues) {
    total.waiting += queue.waiting
    total.in_flight += queue.in_flight
    total.refused += queue.refused
    total.oldest_ms = Math.max(total.oldest_ms, queue.oldest_ms)
    for (const priority of PRIORITIES) total.by_priority[priority] += queue.by_priority[priority]
  }
  return total
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
