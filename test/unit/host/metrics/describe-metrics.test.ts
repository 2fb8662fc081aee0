import { expect } from 'chai'
import {
  describePluginHealth,
  describePluginMetrics,
  describeSystem,
  type LivePlugin,
} from '../../../../host/metrics/describe-metrics.ts'
import { PluginMetrics } from '../../../../host/metrics/plugin-metrics.ts'
import type { QueueFigures } from '../../../../src/contract/health.ts'

const PLUGIN_HEALTH_FIELDS =
  'plugin_id status reasons state generation calls operations queue breakers memory_bytes cpu_time_ms cpu_share ' +
  'restarts denials network uptime_ms last_error reported'
const MOMENT = { nowMs: 2000, epochMs: 0 }

function queue(waiting: number): QueueFigures {
  const byPriority = { low: 0, normal: waiting, high: 0, critical: 0 }
  return { waiting, in_flight: 1, by_priority: byPriority, oldest_ms: waiting * 10, refused: 2 }
}

function plugin(change: Partial<LivePlugin> = {}): LivePlugin {
  const metrics = new PluginMetrics((text) => text)
  for (const outcome of ['succeeded', 'failed'] as const) {
    metrics.onSettled({
      operation: 'a',
      generation: 1,
      outcome,
      code: null,
      message: 'it broke',
      executionTimeMs: 5,
      nowMs: 1000,
    })
  }
  metrics.addCpu(100)
  const sample = { atMs: 0, memoryBytes: 10, cpuTimeMs: 7, cpuShare: 0.25 }
  return {
    pluginId: 'one',
    state: 'enabled',
    generation: 4,
    instances: 2,
    queue: queue(3),
    metrics,
    samples: [sample, { ...sample, cpuShare: null }],
    ...change,
  }
}

describe('describePluginMetrics()', () => {
  it('adds up the processes that run and those that ended', () => {
    expect(describePluginMetrics(plugin())).to.deep.include({
      plugin_id: 'one',
      generation: 4,
      instances: 2,
      restarts: 0,
      memory_bytes: 20,
      cpu_time_ms: 114,
      cpu_share: 0.25,
      queue: queue(3),
    })
  })

  it('has no memory and no share where no process runs', () => {
    expect(describePluginMetrics(plugin({ instances: 0, samples: [] }))).to.include({
      memory_bytes: null,
      cpu_time_ms: 100,
      cpu_share: null,
    })
  })
})

describe('describePluginHealth()', () => {
  it('has every field of the contract, and the status of the figures', () => {
    const reported = [{ workspace: '/w', health: { ok: false }, problem: null }]
    const live = {
      stateReason: null,
      isObserving: false,
      maxQueuedCalls: 100,
      breakers: [],
      uptimeMs: 60,
      reported,
    }
    const health = describePluginHealth(plugin(), live, MOMENT)
    expect(health).to.deep.include({
      status: 'unhealthy',
      reasons: ['its own health() in "/w" says unhealthy'],
      uptime_ms: 60,
      last_error: {
        at: '1969-12-31T23:59:59.000Z',
        code: 'PLUGIN_FAULT',
        message: 'it broke',
        operation: 'a',
      },
      reported,
    })
    expect(health.calls).to.include({ total: 2, error_rate: 0.5 })
    expect(Object.keys(health)).to.have.members(PLUGIN_HEALTH_FIELDS.split(' '))
  })
})

describe('describeSystem()', () => {
  it('adds up all plugins', () => {
    const daemon = { memory_bytes: 1, cpu_time_ms: 2, event_loop_delay_p99_ms: 3 }
    const plugins = [plugin(), plugin({ pluginId: 'two', queue: queue(5), instances: 1 })]
    const system = describeSystem(plugins, daemon, { ...MOMENT, uptimeMs: 9 })
    expect(system).to.deep.include({ at: '1970-01-01T00:00:00.000Z', uptime_ms: 9, daemon, instances: 3 })
    expect(system.calls).to.include({ total: 4, succeeded: 2, failed: 2 })
    expect(system.calls.times?.p50_ms).to.equal(5)
    expect(system.queue).to.eql({
      waiting: 8,
      in_flight: 2,
      oldest_ms: 50,
      refused: 4,
      by_priority: { low: 0, normal: 8, high: 0, critical: 0 },
    })
    expect(system.plugins.map(({ plugin_id: id }) => id)).to.eql(['one', 'two'])
    expect(describeSystem(plugins, daemon, { ...MOMENT, uptimeMs: 9 }), 'twice the same').to.eql(system)
  })
})
