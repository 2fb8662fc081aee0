import { expect } from 'chai'
import type { HistoryEntry, PluginHealth, SystemMetrics } from '../../src/contract/health.ts'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { addCode, readyPid } from '../helpers/supervised.ts'

const NO_CALLS = { total: 0, succeeded: 0, failed: 0, rejected: 0, cancelled: 0 }

describe('get_plugin_health()', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'lying-health'],
      prepare: (world) => {
        addCode(
          world,
          'ailing',
          `let said = { status: 'degraded', reason: 'the disk is nearly full' }
          export default {
            operations: { say: (words) => (said = words) },
            health: () => {
              if (said.fails) throw new Error(said.fails)
              return said
            },
          }`,
        )
      },
    })
  })
  after(() => daemon.stop())

  it('says of one that never ran that it is idle, and invents no figure', async () => {
    expect(await daemon.system.get_plugin_health('echoes')).to.deep.equal({
      plugin_id: 'echoes',
      status: 'idle',
      reasons: [],
      state: 'enabled',
      generation: 1,
      calls: { ...NO_CALLS, success_rate: null, error_rate: null, times: null },
      operations: [],
      queue: {
        waiting: 0,
        in_flight: 0,
        by_priority: { low: 0, normal: 0, high: 0, critical: 0 },
        oldest_ms: 0,
        refused: 0,
      },
      breakers: [],
      memory_bytes: null,
      cpu_time_ms: 0,
      cpu_share: null,
      restarts: 0,
      uptime_ms: null,
      last_error: null,
      denials: { fs_read: 0, fs_write: 0, network: 0, process: 0, env: 0, runtime: 0 },
      network: { requests: 0, connections: 0, bytes: 0 },
      reported: [],
    })
  })

  it('counts every call that was answered, by what became of it and by operation', async () => {
    await makeKnownCalls(daemon)
    const health = await daemon.system.get_plugin_health('echoes')
    expect(health.calls).to.deep.include({ total: 11, succeeded: 5, failed: 2, rejected: 2, cancelled: 2 })
    expect(health.calls.success_rate).to.be.closeTo(5 / 9, 1e-9)
    expect(health.calls.error_rate).to.be.closeTo(4 / 9, 1e-9)
    const byOperation = Object.fromEntries(
      health.operations.map(({ operation, total, succeeded }) => [operation, { total, succeeded }]),
    )
    expect(byOperation).to.deep.equal({
      echo: { total: 5, succeeded: 5 },
      fail: { total: 2, succeeded: 0 },
      wait: { total: 3, succeeded: 0 },
      crash: { total: 1, succeeded: 0 },
    })
  })

  it('gives times that fit one another', async () => {
    const { times } = (await daemon.system.get_plugin_health('echoes')).calls
    const { mean_ms: mean, p50_ms: p50, p95_ms: p95, p99_ms: p99, max_ms: max } = times!
    expect(p50).to.be.above(0)
    expect([p50, p95, p99, max]).to.deep.equal([p50, p95, p99, max].toSorted((one, other) => one - other))
    expect(mean).to.be.within(p50 / 9, max)
    // The call with a deadline of 150 ms is the longest but for the first, which started the process.
    expect(max).to.be.at.least(140)
  })

  it('names the last error, in its words, and the restart that it took', async () => {
    const health = await daemon.system.get_plugin_health('echoes')
    expect(health.last_error).to.deep.include({ code: 'PLUGIN_CRASHED', operation: 'crash' })
    expect(health.last_error?.message).to.contain('exit code 7')
    expect(Date.now() - Date.parse(health.last_error!.at)).to.be.within(0, 30_000)
    expect(health.restarts).to.equal(1)
    expect(health.status).to.equal('degraded')
    expect(health.reasons).to.deep.equal(['it was restarted once in the last five minutes'])
  })

  it('gives memory, CPU and uptime of the process that runs', async () => {
    const { ready_ms: readyMs } = (await daemon.info('echoes')).instances[0]!
    expect(readyMs).to.be.above(0)
    await until(
      async () => (await daemon.system.get_plugin_health('echoes')).memory_bytes !== null,
      'a sample of its memory',
    )
    const first = await daemon.system.get_plugin_health('echoes')
    expect(first.memory_bytes).to.be.within(10_000_000, 500_000_000)
    expect(first.cpu_time_ms).to.be.above(0)
    const second = await daemon.system.get_plugin_health('echoes')
    expect(second.uptime_ms).to.be.within(first.uptime_ms!, first.uptime_ms! + 10_000)
    expect(second.cpu_time_ms).to.be.at.least(first.cpu_time_ms)
  })

  it('shows what its own health() says, and listens to it', async () => {
    await daemon.call('ailing', 'say', { status: 'healthy', queue: 3 })
    const healthy = await daemon.system.get_plugin_health('ailing')
    expect(healthy.status).to.equal('healthy')
    const workspace = daemon.world.folder
    expect(healthy.reported).to.deep.equal([
      { workspace, health: { status: 'healthy', queue: 3 }, problem: null },
    ])
    for (const status of ['degraded', 'unhealthy']) {
      await daemon.call('ailing', 'say', { status, reason: 'the disk is nearly full' })
      const ailing = await daemon.system.get_plugin_health('ailing')
      expect(ailing.status).to.equal(status)
      expect(ailing.reasons.join()).to.contain(`says ${status}`).and.to.contain('the disk is nearly full')
    }
    expect((await daemon.info('ailing')).instances[0]?.health).to.deep.include({ status: 'unhealthy' })
  })

  it('calls one degraded whose own health() fails, and says how', async () => {
    await daemon.call('ailing', 'say', { fails: 'no such table' })
    const { status, reasons, reported } = await daemon.system.get_plugin_health('ailing')
    const workspace = daemon.world.folder
    const problem = 'its health() failed: no such table'
    expect(reported).to.deep.equal([{ workspace, health: null, problem }])
    expect({ status, reasons }).to.deep.equal({
      status: 'degraded',
      reasons: [`${problem}, in "${workspace}"`],
    })
  })

  it('does not believe one that says it is well and fails every call', async () => {
    for (let call = 0; call < 10; call += 1) await daemon.call('lying_health', 'fine')
    const { status, reasons, reported, calls } = await daemon.system.get_plugin_health('lying_health')
    expect(status).to.equal('unhealthy')
    expect(reasons).to.deep.equal(['10 of 10 calls of the last minute went wrong'])
    expect(reported[0]?.health).to.deep.equal({ status: 'healthy' })
    expect(calls).to.deep.include({ failed: 10, error_rate: 1 })
  })

  it('knows no plugin that is not there', async () => {
    expect((await refusalOf(daemon.system.get_plugin_health('echos'))).code).to.equal('PLUGIN_NOT_FOUND')
    expect((await refusalOf(daemon.system.get_incidents('echos'))).code).to.equal('PLUGIN_NOT_FOUND')
    const history = daemon.system.get_execution_history({ plugin_id: 'echos' })
    expect((await refusalOf(history)).code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('adds up to get_metrics()', async () => {
    const metrics = await daemon.system.get_metrics()
    for (const key of ['total', 'succeeded', 'failed', 'rejected', 'cancelled'] as const)
      expect(metrics.calls[key], key).to.equal(sum(metrics.plugins.map(({ calls }) => calls[key])))
    expect(metrics.calls.total).to.equal((await daemon.system.get_status()).calls.total)
    expect(metrics.instances).to.equal(3)
    expect(metrics.restarts).to.equal(1)
    expect(metrics.queue).to.deep.include({ waiting: 0, in_flight: 0 })
    const { calls, operations } = await daemon.system.get_plugin_health('echoes')
    expect(metrics.plugins.find(({ plugin_id: id }) => id === 'echoes')).to.deep.include({
      calls,
      operations,
    })
    expect(metrics.calls.times?.max_ms).to.be.at.least(calls.times!.max_ms)
    expect(metrics.daemon.memory_bytes).to.be.above(10_000_000)
    expect(metrics.daemon.cpu_time_ms).to.be.above(0)
    expect(metrics.daemon.event_loop_delay_p99_ms).to.be.at.least(0)
    expect(Math.abs(Date.now() - Date.parse(metrics.at))).to.be.below(10_000)
  })
})

describe('A subscription', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes'] })
    await daemon.call('echoes', 'echo')
  })
  after(() => daemon.stop())

  it('to a plugin’s health gets it anew, until its signal aborts', async () => {
    const [seen, after]: [PluginHealth[], PluginHealth[]] = [[], []]
    const end = new AbortController()
    const first = await daemon.system.get_plugin_health('echoes', {
      on_update: (health) => void seen.push(health),
      interval_ms: 100,
      signal: end.signal,
    })
    expect(first.calls.total).to.equal(1)
    await daemon.call('echoes', 'echo')
    await until(() => seen.length >= 3 && seen.at(-1)!.calls.total === 2, 'three updates')
    expect(seen.at(-1)).to.deep.include({ plugin_id: 'echoes', status: 'healthy' })
    end.abort()
    await daemon.system.get_status()
    const { length } = seen
    const other = new AbortController()
    const on_update = (health: PluginHealth): void => void after.push(health)
    await daemon.system.get_plugin_health('echoes', { on_update, interval_ms: 100, signal: other.signal })
    await until(() => after.length >= 3, 'updates of another one')
    expect(seen).to.have.length(length)
    other.abort()
  })

  it('to all metrics does so, too', async () => {
    const seen: SystemMetrics[] = []
    const end = new AbortController()
    await daemon.system.get_metrics({
      on_update: (metrics) => void seen.push(metrics),
      interval_ms: 100,
      signal: end.signal,
    })
    await until(() => seen.length >= 3, 'three updates')
    end.abort()
    expect(seen[2]!.uptime_ms - seen[0]!.uptime_ms).to.be.at.least(150)
    expect(seen[0]?.plugins.map(({ plugin_id: id }) => id)).to.include('echoes')
  })

  it('carries the id of its request on the wire, and ends by a cancel of that id', async () => {
    const client = await daemon.connect()
    for (const [id, method, params] of [
      ['h', 'get_plugin_health', { plugin_id: 'echoes', interval_ms: 100 }],
      ['m', 'get_metrics', { interval_ms: 100 }],
    ] as const) {
      await client.request(method, params, id)
      const name = method === 'get_metrics' ? 'metrics' : 'health'
      const told = await client.next(({ method: said }) => said === name, 'an update')
      expect(told.params).to.deep.include({ id })
      expect((await client.request('cancel', { id })).result).to.deep.equal({ cancelled: true })
      expect((await client.request('cancel', { id })).result).to.deep.equal({ cancelled: false })
    }
  })

  it('that is cancelled before its first answer does not go on', async () => {
    const client = await daemon.connect()
    client.send(
      '{"jsonrpc":"2.0","id":"early","method":"get_plugin_health","params":{"plugin_id":"echoes","interval_ms":100}}\n',
      '{"jsonrpc":"2.0","id":"stop","method":"cancel","params":{"id":"early"}}\n',
    )
    expect((await client.answer('stop')).result).to.deep.equal({ cancelled: true })
    await client.answer('early')
    await client.request('get_metrics', { interval_ms: 100 }, 'm')
    await until(
      () => client.messages.filter(({ method }) => method === 'metrics').length >= 3,
      'three updates',
    )
    expect(client.messages.filter(({ method }) => method === 'health')).to.deep.equal([])
  })

  it('may not be had more often than ten times a second', async () => {
    const client = await daemon.connect()
    const { error } = await client.request('get_metrics', { interval_ms: 99 })
    expect(error?.data?.name).to.equal('PARAMS_INVALID')
  })
})

describe('get_execution_history()', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes', 'echoes as other'] })
    await makeKnownCalls(daemon)
    for (let call = 0; call < 3; call += 1)
      await daemon.call('other', 'echo', 'a secret input', { priority: 'high' })
  })
  after(() => daemon.stop())

  it('tells every answered call, the newest first, with what it cost', async () => {
    const entries = await daemon.system.get_execution_history()
    expect(entries).to.have.length(14)
    expect(entries.map(({ at }) => at)).to.deep.equal(
      entries
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    )
    const { execution_id: id, at, execution_time_ms: time, memory_used_bytes: memory, ...rest } = entries[0]!
    expect(rest).to.deep.include({
      plugin_id: 'other',
      operation: 'echo',
      workspace: daemon.world.folder,
      generation: 1,
      priority: 'high',
      outcome: 'succeeded',
      code: null,
      error: null,
    })
    expect(id).to.be.a('string').that.is.not.empty
    expect(Date.now() - Date.parse(at)).to.be.within(-1_000, 30_000)
    expect(time).to.be.above(0)
    expect(memory).to.be.above(1_000_000)
    expect(JSON.stringify(entries)).to.not.contain('a secret input')
  })

  it('is filtered by plugin and by outcome', async () => {
    const ofOther = await daemon.system.get_execution_history({ plugin_id: 'other' })
    expect(ofOther).to.have.length(3)
    const expected = { succeeded: 5, failed: 2, rejected: 2, cancelled: 2 }
    for (const [outcome, count] of Object.entries(expected) as [HistoryEntry['outcome'], number][]) {
      const entries = await daemon.system.get_execution_history({ plugin_id: 'echoes', outcome })
      expect(entries.map((entry) => entry.outcome)).to.deep.equal(Array(count).fill(outcome))
    }
    const rejected = await daemon.system.get_execution_history({ outcome: 'rejected' })
    expect(rejected.map(({ code }) => code)).to.deep.equal(['PLUGIN_CRASHED', 'CALL_TIMEOUT'])
    const [failed] = await daemon.system.get_execution_history({ outcome: 'failed', limit: 1 })
    expect(failed).to.deep.include({ error: 'in words', code: null, operation: 'fail' })
  })

  it('is read page by page, with nothing twice and nothing left out', async () => {
    const whole = await daemon.system.get_execution_history()
    const paged: HistoryEntry[] = []
    for (;;) {
      const before = paged.at(-1)?.at
      const options = before === undefined ? { limit: 4 } : { limit: 4, before }
      const page = await daemon.system.get_execution_history(options)
      if (page.length === 0) break
      paged.push(...page)
    }
    expect(paged).to.deep.equal(whole)
    const error = await refusalOf(daemon.system.get_execution_history({ before: 'yesterday' }))
    expect(error.code).to.equal('PARAMS_INVALID')
  })
})

describe('The history in the store', function () {
  this.timeout(60_000)

  it('keeps as many calls as the configuration says', async () => {
    const daemon = await TestDaemon.start({ plugins: ['echoes'], config: 'history: { max_entries: 20 }\n' })
    try {
      await Promise.all(Array.from({ length: 300 }, (_, at) => daemon.call('echoes', 'echo', at)))
      await until(
        async () => (await daemon.system.get_execution_history({ limit: 1000 })).length <= 20,
        'no more than 20 entries',
      )
    } finally {
      await daemon.stop()
    }
  })

  it('keeps none where its retention is 0 days', async () => {
    const daemon = await TestDaemon.start({ plugins: ['echoes'], config: 'history: { retention_days: 0 }\n' })
    try {
      await daemon.call('echoes', 'echo')
      expect(await daemon.system.get_execution_history()).to.deep.equal([])
      expect((await daemon.system.get_plugin_health('echoes')).calls.total).to.equal(1)
    } finally {
      await daemon.stop()
    }
  })

  it('and the incidents outlive the daemon', async () => {
    const daemon = await TestDaemon.start({ plugins: ['echoes'] })
    let isStopped = false
    try {
      await makeKnownCalls(daemon)
      await until(async () => (await daemon.system.get_incidents('echoes')).length === 1, 'the incident')
      const before = await daemon.system.get_execution_history()
      const incidents = await daemon.system.get_incidents('echoes')
      await daemon.system.shutdown()
      isStopped = true
      const again = await daemon.world.attach()
      try {
        expect(await again.get_execution_history()).to.deep.equal(before)
        expect(await again.get_incidents('echoes')).to.deep.equal(incidents)
        expect((await again.get_plugin_info('echoes')).last_exit?.message).to.contain('the daemon shut down')
        expect((await again.get_plugin_health('echoes')).calls.total).to.equal(0)
        await again.execute_plugin('echoes', 'echo')
        expect(await again.get_execution_history()).to.have.length(before.length + 1)
      } finally {
        await again.shutdown()
      }
    } finally {
      if (isStopped) daemon.world.remove()
      else await daemon.stop()
    }
  })
})

/** Five that succeed, two that fail, two that are cancelled, one whose time is up, and one crash, in this order. */
async function makeKnownCalls(daemon: TestDaemon): Promise<void> {
  for (let call = 0; call < 5; call += 1) await daemon.call('echoes', 'echo', call)
  for (let call = 0; call < 2; call += 1) await daemon.call('echoes', 'fail', 'in words')
  const end = new AbortController()
  const cancelled = [1, 2].map(() => refusalOf(daemon.call('echoes', 'wait', 60_000, { signal: end.signal })))
  await until(async () => (await daemon.system.get_status()).calls.in_flight === 2, 'two calls in flight')
  end.abort()
  expect((await Promise.all(cancelled)).map(({ code }) => code)).to.deep.equal(
    Array(2).fill('CALL_CANCELLED'),
  )
  const late = await daemon.refusal('echoes', 'wait', 60_000, { timeout_ms: 150 })
  expect(late.code).to.equal('CALL_TIMEOUT')
  const pid = await readyPid(daemon, 'echoes')
  expect((await daemon.refusal('echoes', 'crash')).code).to.equal('PLUGIN_CRASHED')
  await readyPid(daemon, 'echoes', pid)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
