import { expect } from 'chai'
import { CallCounters } from '../../../../host/metrics/call-counters.ts'
import { PluginMetrics, type SettledCall } from '../../../../host/metrics/plugin-metrics.ts'

function call(change: Partial<SettledCall> = {}): SettledCall {
  const isRejected = change.code !== undefined && change.code !== null
  return {
    operation: 'transform',
    generation: 1,
    outcome: isRejected ? 'rejected' : 'succeeded',
    code: null,
    message: null,
    executionTimeMs: 2,
    nowMs: 1000,
    ...change,
  }
}

function metricsOf(...calls: Partial<SettledCall>[]): PluginMetrics {
  const metrics = new PluginMetrics((text) => text.replaceAll('s3cret', '[redacted]'))
  for (const one of calls) metrics.onSettled(call(one))
  return metrics
}

describe('CallCounters', () => {
  it('leaves cancelled calls out of both rates', () => {
    const counters = new CallCounters()
    expect(counters.figures()).to.include({ total: 0, success_rate: null, error_rate: null, times: null })
    counters.record('cancelled', null)
    expect(counters.figures()).to.include({ total: 1, cancelled: 1, success_rate: null })
    for (const outcome of ['succeeded', 'succeeded', 'failed', 'rejected'] as const)
      counters.record(outcome, 1)
    expect(counters.figures()).to.deep.include({
      total: 5,
      succeeded: 2,
      failed: 1,
      rejected: 1,
      success_rate: 0.5,
      error_rate: 0.5,
      times: { mean_ms: 1, p50_ms: 1, p95_ms: 1, p99_ms: 1, max_ms: 1 },
    })
  })
})

describe('PluginMetrics', () => {
  it('counts by operation, and all together', () => {
    const metrics = metricsOf({ operation: 'a' }, { operation: 'a', outcome: 'failed' }, { operation: 'b' })
    expect(metrics.operations().map(({ operation, total }) => [operation, total])).to.eql([
      ['a', 2],
      ['b', 1],
    ])
    expect(metrics.total().figures()).to.include({ total: 3, succeeded: 2, failed: 1 })
    expect(metrics.total().figures().total, 'the sum is a copy').to.equal(3)
  })

  it('keeps 200 operations, whatever names callers invent, and counts the rest together', () => {
    const metrics = metricsOf()
    for (let n = 0; n < 5000; n += 1) metrics.onSettled(call({ operation: `op-${n}` }))
    metrics.onSettled(call({ operation: 'op-3' }))
    const operations = metrics.operations()
    expect(operations).to.have.length(201)
    expect(operations.find(({ operation }) => operation === 'op-3')?.total).to.equal(2)
    expect(operations.find(({ operation }) => operation === '(other)')?.total).to.equal(4800)
    expect(metrics.total().figures().total).to.equal(5001)
  })

  it('gives an operation that does not exist no place of its own', () => {
    const metrics = metricsOf()
    for (let n = 0; n < 500; n += 1) {
      metrics.onSettled(call({ operation: `none-${n}`, code: 'OPERATION_NOT_FOUND' }))
    }
    metrics.onSettled(call({ operation: '__proto__' }))
    expect(metrics.operations().map(({ operation }) => operation)).to.eql(['(other)', '__proto__'])
  })

  it('times what the plugin worked on, and no refusal or cancellation', () => {
    const quick = { executionTimeMs: 0.02 }
    const metrics = metricsOf(
      { executionTimeMs: 100 },
      { executionTimeMs: 100, outcome: 'failed' },
      { executionTimeMs: 30_000, code: 'CALL_TIMEOUT' },
      ...['QUEUE_FULL', 'CIRCUIT_OPEN', 'INPUT_INVALID', 'PLUGIN_FAILED'].map((code) => ({ ...quick, code })),
      { ...quick, outcome: 'cancelled', code: 'CALL_CANCELLED' },
      { ...quick, outcome: 'cancelled' },
    )
    expect(metrics.total().figures().times?.mean_ms).to.equal(Number((30_200 / 3).toPrecision(5)))
  })

  it('keeps the windows of two generations apart, for probation', () => {
    const metrics = metricsOf(
      ...Array.from({ length: 8 }, () => ({ generation: 1 })),
      { generation: 2 },
      { generation: 2, outcome: 'failed' as const },
      { generation: 2, code: 'OPERATION_NOT_FOUND' },
      { generation: 2, code: 'QUEUE_FULL' },
      { generation: 2, outcome: 'cancelled' as const },
    )
    expect(metrics.window(1)).to.eql({ calls: 8, errors: 0 })
    expect(metrics.window(2)).to.eql({ calls: 3, errors: 2 })
    expect(metrics.window(3)).to.eql({ calls: 0, errors: 0 })
  })

  it('forgets the windows of generations long gone', () => {
    const metrics = metricsOf(...Array.from({ length: 100 }, (_, generation) => ({ generation })))
    expect(metrics.window(0).calls).to.equal(0)
    expect(metrics.window(95).calls).to.equal(0)
    expect([96, 97, 98, 99].map((generation) => metrics.window(generation).calls)).to.eql([1, 1, 1, 1])
  })

  it('holds the last minute against the plugin, and no mistake of a caller', () => {
    const metrics = metricsOf(
      { outcome: 'failed', nowMs: 0 },
      { outcome: 'failed', nowMs: 100_000 },
      { nowMs: 100_000 },
      { code: 'INPUT_INVALID', nowMs: 100_000 },
      { code: 'WORKSPACE_DENIED', nowMs: 100_000 },
      { code: 'PLUGIN_CRASHED', nowMs: 120_000 },
    )
    expect(metrics.recent(120_000)).to.eql({ calls: 3, errors: 2 })
    expect(metrics.recent(170_000)).to.eql({ calls: 1, errors: 1 })
    expect(metrics.recent(500_000)).to.eql({ calls: 0, errors: 0 })
  })

  it('tells the last error by the wall clock, redacted and cut', () => {
    const metrics = metricsOf(
      { code: 'PLUGIN_CRASHED', message: 'first' },
      { operation: 'b', outcome: 'failed', message: `key s3cret ${'x'.repeat(9000)}`, nowMs: 4000 },
      { nowMs: 5000 },
      { outcome: 'cancelled', code: 'CALL_CANCELLED', message: 'not this one', nowMs: 6000 },
    )
    const error = metrics.lastError({ nowMs: 10_000, epochMs: 1_000_000_000_000 })!
    expect(error).to.include({ at: '2001-09-09T01:46:34.000Z', code: 'PLUGIN_FAULT', operation: 'b' })
    expect(error.message)
      .to.match(/^key \[redacted\] x+$/)
      .and.to.have.length(500)
    expect(metricsOf({}).lastError({ nowMs: 0, epochMs: 0 })).to.equal(null)
  })

  it('adds up restarts and the CPU time of processes that ended', () => {
    const metrics = metricsOf()
    for (const nowMs of [0, 1000, 400_000]) metrics.onRestart(nowMs)
    for (const cpuTimeMs of [120, 30, Number.NaN]) metrics.addCpu(cpuTimeMs)
    expect(metrics.restarts).to.equal(3)
    expect(metrics.recentRestarts(400_000)).to.equal(1)
    expect(metrics.endedCpuMs).to.equal(150)
  })
})
