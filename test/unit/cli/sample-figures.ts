import type { CallFigures, PluginHealth, PluginMetrics, QueueFigures } from '../../../src/contract/health.ts'

const MIB = 1024 ** 2

export const noCalls: CallFigures = {
  total: 0,
  succeeded: 0,
  failed: 0,
  rejected: 0,
  cancelled: 0,
  success_rate: null,
  error_rate: null,
  times: null,
}

export const someCalls: CallFigures = {
  total: 10,
  succeeded: 7,
  failed: 1,
  rejected: 1,
  cancelled: 1,
  success_rate: 7 / 9,
  error_rate: 2 / 9,
  times: { mean_ms: 1.25, p50_ms: 0.5, p95_ms: 4, p99_ms: 90, max_ms: 1_200 },
}

export const emptyQueue: QueueFigures = {
  waiting: 0,
  in_flight: 0,
  by_priority: { low: 0, normal: 0, high: 0, critical: 0 },
  oldest_ms: 0,
  refused: 0,
}

export const noDenials = { fs_read: 0, fs_write: 0, network: 0, env: 0, process: 0, runtime: 0 }

export function pluginHealth(other: Partial<PluginHealth>): PluginHealth {
  return {
    plugin_id: 'echo',
    status: 'idle',
    reasons: [],
    state: 'enabled',
    generation: 1,
    calls: noCalls,
    operations: [],
    queue: emptyQueue,
    denials: noDenials,
    network: { requests: 0, connections: 0, bytes: 0 },
    breakers: [],
    memory_bytes: null,
    cpu_time_ms: 0,
    cpu_share: null,
    restarts: 0,
    uptime_ms: null,
    last_error: null,
    reported: [],
    ...other,
  }
}

export function pluginMetrics(other: Partial<PluginMetrics>): PluginMetrics {
  return {
    plugin_id: 'echo',
    state: 'enabled',
    generation: 2,
    instances: 1,
    restarts: 0,
    memory_bytes: 40 * MIB,
    cpu_time_ms: 1_500,
    cpu_share: 0.03,
    calls: someCalls,
    operations: [],
    queue: emptyQueue,
    denials: noDenials,
    network: { requests: 0, connections: 0, bytes: 0 },
    ...other,
  }
}
