import fs from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import type { PluginExecutionResult } from '../../src/contract/execution.ts'
import type { Priority } from '../../src/contract/health.ts'
import { outcomeOf, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { line, type RawClient } from '../helpers/raw-client.ts'
import { addSections, incidentOf, readyPid, standbyPid, timed } from '../helpers/supervised.ts'

describe('Calls that wait', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['takes-turns', 'takes-turns as short'],
      prepare: (world) => addSections(world, 'short', '[runtime]\nmax_queued_calls = 5'),
    })
    await Promise.all([daemon.call('takes_turns', 'turns'), daemon.call('short', 'turns')])
  })
  after(() => daemon.stop())

  it('go by their priority, and in their order within one', async () => {
    const { running } = await block(daemon, 'takes_turns', 500)
    const names = ['low 1', 'normal 1', 'low 2', 'critical 1', 'high 1', 'normal 2', 'critical 2', 'high 2']
    const waiting = names.map((name) => {
      const priority = name.split(' ')[0] as Priority
      return daemon.call('takes_turns', 'take', { name }, { priority })
    })
    await waitFor(daemon, 'takes_turns', names.length)
    const { queue } = await daemon.system.get_plugin_health('takes_turns')
    expect(queue.by_priority).to.deep.equal({ low: 2, normal: 2, high: 2, critical: 2 })
    expect(queue).to.deep.include({ waiting: 8, in_flight: 1 })
    expect(queue.oldest_ms).to.be.within(0, 500)
    await Promise.all([running, ...waiting])
    expect(await turnsOf(daemon, 'takes_turns')).to.deep.equal([
      'first',
      'critical 1',
      'critical 2',
      'high 1',
      'high 2',
      'normal 1',
      'normal 2',
      'low 1',
      'low 2',
    ])
  })

  it('go by priority between callers, too', async () => {
    const other = await daemon.connect()
    const { running } = await block(daemon, 'takes_turns', 500)
    const low = daemon.call('takes_turns', 'take', { name: 'low' }, { priority: 'low' })
    await waitFor(daemon, 'takes_turns', 1)
    other.send(takeLine('other', 'critical', 'critical'))
    await waitFor(daemon, 'takes_turns', 2)
    await Promise.all([running, low, other.answer('other')])
    expect(await turnsOf(daemon, 'takes_turns')).to.deep.equal(['first', 'critical', 'low'])
  })

  it('grow older and are not passed for ever', async () => {
    const { running } = await block(daemon, 'takes_turns', 4_500)
    const low = daemon.call('takes_turns', 'take', { name: 'low' }, { priority: 'low' })
    await delay(3_700)
    const critical = ['critical 1', 'critical 2'].map((name) =>
      daemon.call('takes_turns', 'take', { name }, { priority: 'critical' }),
    )
    await waitFor(daemon, 'takes_turns', 3)
    await Promise.all([running, low, ...critical])
    expect(await turnsOf(daemon, 'takes_turns')).to.deep.equal(['first', 'low', 'critical 1', 'critical 2'])
  })

  it('of a flood of 2,000 let another caller’s call through among the next few', async () => {
    const other = await daemon.connect()
    const { running } = await block(daemon, 'takes_turns', 1_500)
    const flooding = Array.from({ length: 2_000 }, () =>
      daemon.call('takes_turns', 'take', { name: 'flood' }),
    )
    await waitFor(daemon, 'takes_turns', 2_000)
    other.send(takeLine('other', 'other', 'normal'))
    await other.answer('other')
    await Promise.all([running, ...flooding])
    const turns = await turnsOf(daemon, 'takes_turns')
    expect(turns).to.have.length(2_002)
    expect(turns.indexOf('other')).to.be.within(1, 4)
  })

  it('are answered with CALL_CANCELLED when they are cancelled, waiting or running, and the rest goes on', async () => {
    const [runs, waits] = [new AbortController(), new AbortController()]
    const { running } = await block(daemon, 'takes_turns', 30_000, runs.signal)
    const given = daemon.call('takes_turns', 'take', { name: 'given up' }, { signal: waits.signal })
    const last = daemon.call('takes_turns', 'take', { name: 'last' })
    await waitFor(daemon, 'takes_turns', 2)
    waits.abort()
    expect((await refusalOf(given)).code).to.equal('CALL_CANCELLED')
    await waitFor(daemon, 'takes_turns', 1)
    runs.abort()
    expect((await refusalOf(running)).code).to.equal('CALL_CANCELLED')
    expect((await last).success).to.equal(true)
    expect(await turnsOf(daemon, 'takes_turns')).to.deep.equal(['first', 'last'])
  })

  it('time out where they wait, without having run', async () => {
    const { running } = await block(daemon, 'takes_turns', 700)
    const error = await daemon.refusal('takes_turns', 'take', { name: 'late' }, { timeout_ms: 100 })
    expect(error.code).to.equal('CALL_TIMEOUT')
    await running
    expect(await turnsOf(daemon, 'takes_turns')).to.deep.equal(['first'])
  })

  it('are refused at once where the plugin’s queue is full', async () => {
    const { running } = await block(daemon, 'short', 700)
    const waiting = Array.from({ length: 5 }, () => daemon.call('short', 'take', { name: 'waits' }))
    await waitFor(daemon, 'short', 5)
    const { value: error, ms } = await timed(daemon.refusal('short', 'take', { name: 'refused' }))
    expect(error.code).to.equal('QUEUE_FULL')
    expect(error.retryable).to.equal(true)
    expect(error.details).to.deep.include({ queued: 5, limit: 5 })
    expect(ms).to.be.below(500)
    expect((await daemon.system.get_plugin_health('short')).queue.refused).to.equal(1)
    await Promise.all([running, ...waiting])
    expect(await turnsOf(daemon, 'short')).to.deep.equal(['first', ...Array(5).fill('waits')])
  })

  it('may have no other priorities', async () => {
    const priority = 'urgent' as Priority
    expect((await daemon.refusal('short', 'turns', null, { priority })).code).to.equal('PARAMS_INVALID')
  })
})

describe('The daemon', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['one', 'two', 'three'].map((id) => `echoes as ${id}`),
      config: 'execution: { max_calls: 20, max_calls_share: 0.5 }\n',
    })
  })
  after(() => daemon.stop())

  it('holds no more calls of one plugin than its share, and no more than it may of all', async () => {
    const end = new AbortController()
    const open = (id: string, count: number): Promise<string>[] =>
      Array.from({ length: count }, () => outcomeOf(daemon.call(id, 'wait', 60_000, { signal: end.signal })))
    const calls = open('one', 10)
    const ofPlugin = await daemon.refusal('one', 'echo')
    expect(ofPlugin.code).to.equal('QUEUE_FULL')
    expect(ofPlugin.message).to.contain('execution.max_calls_share')
    expect(ofPlugin.details).to.deep.include({ of_plugin: 10, share: 10, limit: 20 })
    calls.push(...open('two', 10))
    const ofAll = await daemon.refusal('three', 'echo')
    expect(ofAll.code).to.equal('QUEUE_FULL')
    expect(ofAll.message).to.contain('holds 20 calls').and.to.contain('execution.max_calls')
    await until(async () => (await daemon.system.get_status()).calls.in_flight === 20, 'all 20 in flight')
    const { queue } = await daemon.system.get_metrics()
    expect(queue).to.deep.include({ waiting: 0, in_flight: 20, refused: 2 })
    end.abort()
    expect(new Set(await Promise.all(calls))).to.deep.equal(new Set(['CALL_CANCELLED']))
    expect((await daemon.call('three', 'echo', 'room')).result).to.equal('room')
  })
})

describe('max_calls_per_second', function () {
  this.timeout(60_000)

  it('lets so many calls out, of all workspaces together, and the rest waits', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['echoes'],
      files: { 'other/file.txt': '' },
      prepare: (world) => addSections(world, 'echoes', '[resource_limits]\nmax_calls_per_second = 50'),
    })
    try {
      const workspaces = [daemon.world.folder, daemon.world.path('other')]
      await Promise.all(workspaces.map((workspace) => daemon.call('echoes', 'echo', 0, { workspace })))
      await delay(1_000)
      const { ms } = await timed(
        Promise.all(
          Array.from({ length: 105 }, (_, at) =>
            daemon.call('echoes', 'echo', at, { workspace: workspaces[at % 2]! }),
          ),
        ),
      )
      // A tenth of a second's calls at once, the other 100 in two seconds.
      expect(ms).to.be.within(1_900, 12_000)
    } finally {
      await daemon.stop()
    }
  })
})

describe('A circuit breaker', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['fails-on-demand'],
      config: 'breaker: { min_calls: 5, window_ms: 20000, open_ms: 600 }\n',
    })
    await daemon.call('fails_on_demand', 'work')
  })
  after(() => daemon.stop())

  it('opens when an operation fails too often, and refuses its calls at once', async () => {
    await breakOperation(daemon)
    const { value: error, ms } = await timed(daemon.refusal('fails_on_demand', 'work'))
    expect(error.code).to.equal('CIRCUIT_OPEN')
    expect(error.retryable).to.equal(true)
    expect(error.details['retry_in_ms']).to.be.within(1, 600)
    expect(error.message).to.contain('"work"').and.to.contain('phantom why fails_on_demand')
    expect(ms).to.be.below(400)
  })

  it('is shown in the health of the plugin and told as an incident', async () => {
    await daemon.system.reset_plugin('fails_on_demand')
    await breakOperation(daemon)
    const { status, reasons, breakers, state } = await daemon.system.get_plugin_health('fails_on_demand')
    expect(status).to.be.oneOf(['degraded', 'unhealthy'])
    expect(reasons.join('\n')).to.contain('the circuit of operation "work" is open')
    expect(state).to.equal('enabled')
    const work = breakers.find(({ operation }) => operation === 'work')!
    expect(work).to.deep.include({ state: 'open' })
    expect(work.failure_rate).to.be.at.least(0.5)
    expect(work.retry_in_ms).to.be.within(1, 600)
    const { message, class: ended, action } = await incidentOf(daemon, 'fails_on_demand', 'breaker_opened')
    expect(message).to.equal('"work" failed too often')
    expect(ended).to.equal(null)
    expect(action).to.contain('refused for a while')
  })

  it('leaves the plugin’s other operations alone', async () => {
    expect((await daemon.call('fails_on_demand', 'fine')).result).to.equal('fine')
  })

  it('lets one call try, stays open when that fails, and closes when it succeeds', async () => {
    await breakerIs(daemon, 'half_open')
    const tries = Array.from({ length: 5 }, () => outcomeOf(daemon.call('fails_on_demand', 'work')))
    expect(await Promise.all(tries)).to.have.members(['CALL_TIMEOUT', ...Array(4).fill('CIRCUIT_OPEN')])
    const again = await daemon.refusal('fails_on_demand', 'work')
    expect(again.code).to.equal('CIRCUIT_OPEN')
    expect(again.details['retry_in_ms']).to.be.within(601, 1_200)
    await daemon.call('fails_on_demand', 'become', 'fine')
    await breakerIs(daemon, 'half_open')
    expect((await daemon.call('fails_on_demand', 'work')).result).to.equal('done')
    await breakerIs(daemon, 'closed')
    const { reasons } = await daemon.system.get_plugin_health('fails_on_demand')
    expect(reasons.join('\n')).to.not.contain('circuit')
    expect((await daemon.call('fails_on_demand', 'work')).result).to.equal('done')
  })

  it('closes with a reset', async () => {
    await breakOperation(daemon)
    await daemon.call('fails_on_demand', 'become', 'fine')
    expect((await daemon.refusal('fails_on_demand', 'work')).code).to.equal('CIRCUIT_OPEN')
    await daemon.system.reset_plugin('fails_on_demand')
    expect((await daemon.call('fails_on_demand', 'work')).result).to.equal('done')
  })

  it('learns nothing from callers that are impatient, that cancel, or that the plugin answers', async () => {
    await daemon.call('fails_on_demand', 'become', 'slow')
    const impatient = Array.from({ length: 20 }, () =>
      outcomeOf(daemon.call('fails_on_demand', 'work', null, { timeout_ms: 10 })),
    )
    expect(new Set(await Promise.all(impatient))).to.deep.equal(new Set(['CALL_TIMEOUT']))
    await daemon.call('fails_on_demand', 'become', 'fine')
    expect((await daemon.call('fails_on_demand', 'work')).result).to.equal('done')
  })
})

/** Of a process that serves the timer is gone before its time. */
const SPINS_UNTIL_INITIALIZED = `const spin = setTimeout(() => { for (;;); }, 300)
export default { initialize: () => clearTimeout(spin), operations: { fine: () => 'fine' } }
`

describe('Beside plugins that spin and clients that flood', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: [
        ...[1, 2, 3, 4, 5].map((at) => `spinner as spinner_${at}`),
        ...[1, 2].map((at) => `echoes as flooded_${at}`),
        'echoes as healthy',
        'echoes as unhurried',
      ],
      // Five spin on fewer cores: each wants a whole one, and none gets the 0.9 that are too much.
      config: 'throttle: { window_ms: 500, nice: 7, background: [unhurried] }\n',
      files: {
        'plugins/spare/plugin.toml': manifestText('spare', '[runtime]\nstandby = 1\n'),
        'plugins/spare/index.js': SPINS_UNTIL_INITIALIZED,
      },
    })
    await daemon.call('healthy', 'echo')
  })
  after(() => daemon.stop())

  it('a healthy one answers, and those that take more than their share are made nicer', async () => {
    const end = new AbortController()
    const spinning = [1, 2, 3, 4, 5].map((at) =>
      outcomeOf(daemon.call(`spinner_${at}`, 'spin', -1, { signal: end.signal })),
    )
    const pids = await Promise.all([1, 2, 3, 4, 5].map((at) => readyPid(daemon, `spinner_${at}`)))
    const clients = await Promise.all([daemon.connect(), daemon.connect()])
    const floods = clients.map((client, at) => flood(client, `flooded_${at + 1}`, end.signal))
    try {
      await until(() => pids.every((pid) => niceValuesOf(pid).every((nice) => nice === 7)), 'nice values')
      const times: number[] = []
      for (let call = 0; call < 60; call += 1) {
        const { value, ms } = await timed(daemon.call('healthy', 'echo', call))
        expect(value.result).to.equal(call)
        times.push(ms)
      }
      times.sort((one, other) => one - other)
      expect(times[30], 'median').to.be.below(300)
      expect(times.at(-1), 'longest').to.be.below(3_000)
      expect(niceValuesOf(await readyPid(daemon, 'healthy'))[0]).to.equal(0)
    } finally {
      end.abort()
      await Promise.all([...spinning, ...floods])
    }
    expect(new Set(await Promise.all(spinning))).to.deep.equal(new Set(['CALL_CANCELLED']))
  })

  it('one that an operator put into the background comes after the others, whatever it does', async () => {
    await daemon.call('unhurried', 'echo')
    const pid = await readyPid(daemon, 'unhurried')
    await until(() => niceValuesOf(pid).every((nice) => nice === 7), 'nice values')
    expect((await daemon.call('unhurried', 'echo', 1)).result).to.equal(1)
  })

  it('a standby that computes before anybody needs it is made nicer as well', async () => {
    await daemon.call('spare', 'fine')
    const pid = await standbyPid(daemon, 'spare')
    await until(() => niceValuesOf(pid).every((nice) => nice === 7), 'nice values')
    expect((await daemon.call('spare', 'fine')).result).to.equal('fine')
  })
})

/** The plugin has one place, and this call has it. */
async function block(
  daemon: TestDaemon,
  id: string,
  ms: number,
  signal?: AbortSignal,
): Promise<{ running: Promise<PluginExecutionResult> }> {
  const options = signal === undefined ? {} : { signal }
  const running = daemon.call(id, 'take', { name: 'first', ms }, options)
  await waitFor(daemon, id, 0)
  return { running }
}

async function waitFor(daemon: TestDaemon, id: string, waiting: number): Promise<void> {
  await until(async () => {
    const { queue } = await daemon.system.get_plugin_health(id)
    return queue.waiting === waiting && queue.in_flight === 1
  }, `${waiting} calls of "${id}" that wait and one that runs`)
}

async function turnsOf(daemon: TestDaemon, id: string): Promise<string[]> {
  return (await daemon.call<string[]>(id, 'turns')).result ?? []
}

function takeLine(id: string, name: string, priority: Priority): string {
  const params = { plugin_id: 'takes_turns', operation: 'take', input: { name }, priority }
  return line({ id, method: 'execute_plugin', params })
}

/** Five calls run into the operation's own deadline. */
async function breakOperation(daemon: TestDaemon): Promise<void> {
  await daemon.call('fails_on_demand', 'become', 'slow')
  const calls = Array.from({ length: 6 }, () => outcomeOf(daemon.call('fails_on_demand', 'work')))
  expect(new Set(await Promise.all(calls))).to.deep.equal(new Set(['CALL_TIMEOUT']))
}

async function breakerIs(daemon: TestDaemon, state: string): Promise<void> {
  await until(async () => {
    const { breakers } = await daemon.system.get_plugin_health('fails_on_demand')
    return breakers.find(({ operation }) => operation === 'work')?.state === state
  }, `a breaker that is ${state}`)
}

/** A hundred calls open at any moment, until the signal. */
async function flood(client: RawClient, pluginId: string, signal: AbortSignal): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const params = { plugin_id: pluginId, operation: 'echo', input: next }
      await client.request('execute_plugin', params, next++)
      client.messages.length = 0
    }
  }
  await Promise.all(Array.from({ length: 100 }, worker))
}

/** Of each thread; proc_pid_stat(5), field 19. */
function niceValuesOf(pid: number): number[] {
  return fs.readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })
}
