import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import {
  addCode,
  addSections,
  incidentOf,
  instanceOf,
  readyPid,
  standbyPid,
  timed,
  withoutProcess,
} from '../helpers/supervised.ts'

describe('A restart', function () {
  this.timeout(90_000)

  it('after many ends waits, and a call that comes meanwhile is answered when it is over', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['crash-on-call'],
      config: 'restart: { backoff_initial_ms: 3000 }\n',
      prepare: (world) => addSections(world, 'crash_on_call', '[restart]\nintensity = 100'),
    })
    try {
      // The backoff is drawn by lot from 0 on: crash until one is long enough to be seen.
      let backoffMs = 0
      for (let time = 1; time <= 8 && backoffMs < 400; time += 1) {
        expect((await daemon.refusal('crash_on_call', 'crash')).code).to.equal('PLUGIN_CRASHED')
        const { action } = await incidentOf(daemon, 'crash_on_call', 'exit', time)
        backoffMs = Number(/after (\d+) ms/.exec(action)?.[1] ?? 0)
      }
      expect(backoffMs).to.be.at.least(400)
      const { value, ms } = await timed(daemon.call('crash_on_call', 'fine'))
      expect(value.success).to.equal(true)
      expect(ms).to.be.at.least(backoffMs - 300)
    } finally {
      await daemon.stop()
    }
  })

  it('waits for the budget of the whole host, and then comes', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['exit-zero as first', 'exit-zero as second'],
      config: 'restart: { host_intensity: 1, host_period_ms: 3000 }\n',
      prepare: (world) => {
        for (const id of ['first', 'second']) addSections(world, id, '[restart]\npolicy = "permanent"')
      },
    })
    try {
      await Promise.all([daemon.call('first', 'fine'), daemon.call('second', 'fine')])
      const pids = await Promise.all([readyPid(daemon, 'first'), readyPid(daemon, 'second')])
      const { ms } = await timed(
        (async () => {
          for (const pid of pids) process.kill(pid, 'SIGKILL')
          await Promise.all([readyPid(daemon, 'first', pids[0]), readyPid(daemon, 'second', pids[1])])
        })(),
      )
      expect(ms).to.be.within(2_500, 12_000)
      // Neither backoff nor budget is the plugin's fault.
      expect((await daemon.system.get_metrics()).restarts).to.equal(2)
    } finally {
      await daemon.stop()
    }
  })
})

describe('A limit that calls break', function () {
  this.timeout(90_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['spinner', 'hoards-memory', 'spinner as kept'],
      config: 'execution: { cancel_grace_ms: 50 }\n',
      prepare: (world) => {
        for (const id of ['spinner', 'hoards_memory']) addSections(world, id, '[restart]\nintensity = 0')
        addSections(world, 'kept', '[restart]\npolicy = "permanent"\nintensity = 0')
      },
    })
  })
  after(() => daemon.stop())

  it('(the caller’s own time) ends the process and leaves the plugin to others', async () => {
    for (let time = 0; time < 3; time += 1) {
      const error = await daemon.refusal('spinner', 'spin', -1, { timeout_ms: 300 })
      expect(error.code).to.equal('CALL_TIMEOUT')
    }
    expect((await daemon.call('spinner', 'fine')).success).to.equal(true)
    const { class: ended, action } = await incidentOf(daemon, 'spinner', 'exit', 3)
    expect({ ended, action }).to.deep.equal({ ended: 'wall_limit', action: 'the next call starts it' })
  })

  for (const how of ['buffers', 'heap']) {
    it(`(memory, by ${how}) ends the process and leaves the plugin to others`, async () => {
      const error = await daemon.refusal('hoards_memory', how)
      expect(error.code).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit: 'max_memory_mb', declared: 64 })
      expect((await daemon.call('hoards_memory', 'fine')).success).to.equal(true)
      expect((await daemon.info('hoards_memory')).state).to.equal('enabled')
    })
  }

  it('does not keep a permanent plugin down', async () => {
    await daemon.call('kept', 'fine')
    const pid = await readyPid(daemon, 'kept')
    await daemon.refusal('kept', 'spin', -1, { timeout_ms: 300 })
    await readyPid(daemon, 'kept', pid)
  })
})

describe('An idle plugin', function () {
  this.timeout(90_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['crash-on-call as idle', 'crash-on-call as restless', 'crash-on-call as eager'],
      config: 'execution: { idle_timeout_ms: 300 }\n',
      prepare: (world) => {
        addSections(world, 'restless', '[runtime]\nidle_timeout_ms = 1')
        addSections(world, 'eager', '[runtime]\nactivation = "eager"')
        addCode(
          world,
          'lingers',
          `import { setTimeout as delay } from 'node:timers/promises'
          import { existsSync, rmSync, writeFileSync } from 'node:fs'
          let lock
          export default {
            operations: { fine: () => 1 },
            initialize({ data_dir }) {
              lock = data_dir + '/lock'
              if (existsSync(lock)) throw new Error('another one holds the lock')
              writeFileSync(lock, '')
            },
            shutdown: async () => (await delay(700), rmSync(lock)),
          }`,
          '[runtime]\nexclusive = true\nidle_timeout_ms = 1\n[restart]\nintensity = 0',
        )
      },
    })
  })
  after(() => daemon.stop())

  it('is stopped, in order, and started by the next call', async () => {
    const { result: before } = await daemon.call('idle', 'fine')
    await withoutProcess(daemon, 'idle')
    const { last_exit: exit, state } = await daemon.info('idle')
    expect({ state, ended: exit?.class, code: exit?.code }).to.deep.equal({
      state: 'enabled',
      ended: 'expected',
      code: 0,
    })
    expect((await daemon.system.get_plugin_health('idle')).status).to.equal('idle')
    expect(await daemon.system.get_incidents('idle')).to.deep.equal([])
    expect((await daemon.call('idle', 'fine')).result).to.not.equal(before)
  })

  it('loses no call that comes while it is stopped', async () => {
    const processes = new Set<unknown>()
    const endMs = performance.now() + 6_000
    for (let call = 0; performance.now() < endMs; call += 1) {
      const { success, result } = await daemon.call('restless', 'fine')
      expect(success).to.equal(true)
      processes.add(result)
      await delay(call % 7)
    }
    expect(processes.size).to.be.at.least(3)
  })

  it('that is exclusive is gone before the next one starts', async () => {
    for (let time = 0; time < 2; time += 1) {
      expect((await daemon.call('lingers', 'fine')).success).to.equal(true)
      await until(async () => {
        const [one] = (await daemon.info('lingers')).instances
        return one?.state === 'draining'
      }, 'the end of the idle process')
    }
    expect((await daemon.call('lingers', 'fine')).success).to.equal(true)
  })

  it('that is eager runs without a call, comes back after a crash, and is not stopped', async () => {
    const pid = await readyPid(daemon, 'eager')
    process.kill(pid, 'SIGKILL')
    const next = await readyPid(daemon, 'eager', pid)
    await delay(1_500)
    expect((await instanceOf(daemon, 'eager'))?.pid).to.equal(next)
  })
})

describe('A standby', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['', ' as temporary', ' as goes_idle', ' as goes_unloaded', ' as goes_disabled'].map(
        (as) => `crash-on-call${as}`,
      ),
      prepare: (world) => {
        addSections(world, 'goes_idle', '[runtime]\nstandby = 1\nidle_timeout_ms = 400')
        for (const id of ['goes_unloaded', 'goes_disabled']) addSections(world, id, '[runtime]\nstandby = 1')
        addSections(world, 'crash_on_call', '[runtime]\nstandby = 1\n[restart]\nintensity = 100')
        addSections(
          world,
          'temporary',
          '[runtime]\nstandby = 1\n[restart]\npolicy = "temporary"\nintensity = 100',
        )
        addCode(
          world,
          'sworn',
          `import { appendFileSync, readFileSync } from 'node:fs'
          export default {
            operations: { starts: (_input, { data_dir }) => readFileSync(data_dir + '/starts', 'utf8').length },
            initialize: ({ data_dir }) => appendFileSync(data_dir + '/starts', 'x'),
          }`,
          '[runtime]\nstandby = 1',
        )
      },
    })
  })
  after(() => daemon.stop())

  it('stands beside the active process, loaded and not initialized', async () => {
    await daemon.call('sworn', 'starts')
    await standbyPid(daemon, 'sworn')
    const { instances } = await daemon.info('sworn')
    expect(instances.map(({ role, state }) => ({ role, state }))).to.deep.equal([
      { role: 'active', state: 'ready' },
      { role: 'standby', state: 'starting' },
    ])
    expect((await daemon.call('sworn', 'starts')).result).to.equal(1)
    const pid = await readyPid(daemon, 'sworn')
    process.kill(pid, 'SIGKILL')
    await readyPid(daemon, 'sworn', pid)
    expect((await daemon.call('sworn', 'starts')).result).to.equal(2)
  })

  for (const id of ['crash_on_call', 'temporary']) {
    it(`takes over when the active one is killed, and another takes its place (${id})`, async () => {
      await daemon.call(id, 'fine')
      for (let time = 0; time < 3; time += 1) {
        const active = await readyPid(daemon, id)
        const standby = await standbyPid(daemon, id)
        process.kill(active, 'SIGKILL')
        await until(async () => (await instanceOf(daemon, id))?.pid !== active, 'the end of the active one')
        expect((await daemon.call(id, 'fine')).success).to.equal(true)
        expect(await readyPid(daemon, id)).to.equal(standby)
        await standbyPid(daemon, id, standby)
      }
    })
  }

  for (const how of ['idle', 'unloaded', 'disabled'] as const) {
    it(`goes with the active one when that is ${how}`, async () => {
      const id = `goes_${how}`
      await daemon.call(id, 'fine')
      const pids = [await readyPid(daemon, id), await standbyPid(daemon, id)]
      if (how === 'unloaded') await daemon.system.unload_plugin(id)
      if (how === 'disabled') await daemon.system.update_plugin_config(id, { enabled: false })
      await until(() => !pids.some(isAlive), 'the end of both')
    })
  }

  it('that is killed is replaced, and the active one goes on', async () => {
    await daemon.call('crash_on_call', 'fine')
    const active = await readyPid(daemon, 'crash_on_call')
    const standby = await standbyPid(daemon, 'crash_on_call')
    process.kill(standby, 'SIGKILL')
    await standbyPid(daemon, 'crash_on_call', standby)
    expect(await readyPid(daemon, 'crash_on_call')).to.equal(active)
  })
})
