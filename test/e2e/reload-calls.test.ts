import { expect } from 'chai'
import { isAlive, outcomeOf, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import {
  addVersioned,
  childrenOf,
  expectNoStrays,
  save,
  saveCode,
  served,
  successorOf,
  versionOf,
} from '../helpers/reloads.ts'

const HANGS = { hooks: 'initialize: () => new Promise(() => setInterval(() => {}, 1000))' }
const SLOW = { hooks: 'initialize: () => new Promise((resolve) => setTimeout(resolve, 400))' }
const OPERATIONS = ['version', 'wait', 'dropped'].map((name) => `[[operations]]\nname = "${name}"\n`)

describe('Calls and a reload', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: 'reload: {debounce_ms: 20, drain_timeout_ms: 700}\n',
      prepare: (world) => {
        addVersioned(world, 'drops', {
          manifest: OPERATIONS.join(''),
          operations: `dropped: () => 'still there',`,
        })
        addVersioned(world, 'drains', { manifest: '[runtime]\nconcurrency = 4\n' })
        addVersioned(world, 'repeats', {
          manifest: '[[operations]]\nname = "version"\n[[operations]]\nname = "wait"\nidempotent = true\n',
          operations:
            'wait: (ms, { generation }) => new Promise((done) => setTimeout(done, generation === 1 ? ms : 0)),',
        })
        addVersioned(world, 'is_switched_off', {
          manifest: '[[operations]]\nname = "version"\n[[operations]]\nname = "wait"\nidempotent = true\n',
        })
        addVersioned(world, 'begins', SLOW)
        for (let count = 0; count < 4; count += 1) addVersioned(world, `race_${count}`)
        addVersioned(world, 'alone', { manifest: '[runtime]\nexclusive = true\n' })
        world.write('plugins/alone/index.js', holdsAFolder('one'))
      },
    })
  })
  after(() => daemon.stop())

  it('that drops their operation answers those that wait with the generation that lacks it', async () => {
    await versionOf(daemon, 'drops')
    const running = outcomeOf(daemon.call('drops', 'wait', 10_000))
    const waiting = Array.from({ length: 3 }, () => daemon.refusal('drops', 'dropped'))
    save(daemon.world, 'plugins/drops/plugin.toml', manifestText('drops', OPERATIONS.slice(0, 2).join('')))
    for (const error of await Promise.all(waiting)) {
      expect(error.code).to.equal('OPERATION_NOT_FOUND')
      expect(error.message).to.include('generation 2')
      expect(error.details).to.deep.include({ generation: 2, operation: 'dropped' })
    }
    expect(await running, 'what outlived the drain').to.equal('PLUGIN_CRASHED')
  })

  it('ends those that outlive the drain with an error, and answers all others', async () => {
    await versionOf(daemon, 'drains')
    const long = refusalOf(daemon.call('drains', 'wait', 60_000))
    const short = daemon.call('drains', 'wait', 300)
    await untilInFlight('drains', 2)
    saveCode(daemon.world, 'drains', 'two')
    await successorOf(daemon, 'drains', 1)
    expect((await versionOf(daemon, 'drains')).version).to.equal('two')
    expect(await short).to.deep.include({ success: true, result: 300 })
    expect((await short).metadata.generation).to.equal(1)
    const error = await long
    expect(error.code).to.equal('PLUGIN_CRASHED')
    expect(error.details).to.deep.include({ exit_class: 'expected' })
  })

  it('runs those that are idempotent once more in the new generation', async () => {
    await versionOf(daemon, 'repeats')
    const call = daemon.call('repeats', 'wait', 60_000)
    await untilInFlight('repeats', 1)
    await daemon.system.reload_plugin('repeats')
    const { success, metadata, warnings } = await call
    expect({ success, generation: metadata.generation }).to.deep.equal({ success: true, generation: 2 })
    expect(warnings.join()).to.include('run again')
  })

  it('are not run once more, idempotent or not, where the plugin was switched off meanwhile', async () => {
    const id = 'is_switched_off'
    await versionOf(daemon, id)
    const long = refusalOf(daemon.call(id, 'wait', 60_000))
    await untilInFlight(id, 1)
    await daemon.system.update_plugin_config(id, { enabled: false })
    const { code, message } = await long
    expect(code).to.equal('PLUGIN_CRASHED')
    expect(message).to.include('it was asked to stop').and.not.include('starts it anew')
    const { instances, last_exit: exit } = await daemon.info(id)
    expect(instances).to.be.empty
    expect(exit?.message).to.include('it was asked to stop')
  })

  it('while the plugin starts are answered, and one process is left', async () => {
    const first = daemon.call('begins', 'version')
    await until(async () => (await daemon.info('begins')).instances.length === 1, 'the start')
    saveCode(daemon.world, 'begins', 'two')
    expect((await first).result).to.be.oneOf(['one', 'two'])
    await successorOf(daemon, 'begins', 1)
    expect((await versionOf(daemon, 'begins')).version).to.equal('two')
    await expectNoStrays(daemon)
  })

  it('at the same moment as the first call are answered, and one process is left', async () => {
    for (let count = 0; count < 4; count += 1) {
      const id = `race_${count}`
      const order = [
        () => daemon.call(id, 'version'),
        () => daemon.system.reload_plugin(id),
        () => daemon.call(id, 'version'),
      ]
      await Promise.all((count % 2 === 0 ? order : order.toReversed()).map((act) => act()))
      expect((await versionOf(daemon, id)).generation).to.equal(2)
      await until(async () => (await daemon.info(id)).instances.length === 1, `one process of ${id}`)
    }
    await expectNoStrays(daemon)
  })

  it('of an exclusive plugin that sleeps never run two processes side by side', async () => {
    const results = await Promise.all([
      daemon.system.reload_plugin('alone'),
      ...Array.from({ length: 4 }, () => daemon.call('alone', 'version')),
      daemon.system.reload_plugin('alone'),
      ...Array.from({ length: 4 }, () => daemon.call('alone', 'version')),
    ])
    expect(results).to.have.lengthOf(10)
    expect((await versionOf(daemon, 'alone')).generation).to.equal(3)
    expect(await daemon.system.get_incidents('alone')).to.deep.equal([])
  })

  async function untilInFlight(id: string, count: number): Promise<void> {
    const inFlight = async () =>
      (await daemon.info(id)).instances.reduce((sum, { calls_in_flight }) => sum + calls_in_flight, 0)
    await until(async () => (await inFlight()) === count, `${count} calls in flight`)
  }
})

/** Two of it at once, and the second one's start fails. */
function holdsAFolder(version: string): string {
  return `
import { mkdirSync, rmdirSync } from 'node:fs'
let held = ''
export default {
  operations: { version: () => '${version}' },
  initialize: ({ data_dir }) => mkdirSync((held = data_dir + '/held')),
  shutdown: () => rmdirSync(held),
}
`
}

describe('Probation', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: 'reload: {debounce_ms: 20, probation_ms: 4000}\nbreaker: {min_calls: 1000}\n',
      prepare: (world) => {
        for (const id of ['lies', 'passes']) addVersioned(world, id)
        addVersioned(world, 'dies', { manifest: '[restart]\nintensity = 0\n' })
      },
    })
  })
  after(() => daemon.stop())

  it('takes a generation back by itself whose health lies, and the incident says so', async () => {
    await versionOf(daemon, 'lies')
    const hooks = `health: () => ({ status: 'healthy' }),`
    saveCode(daemon.world, 'lies', 'two', {
      operations: `version: () => { throw new Error('not so well') },`,
      hooks,
    })
    expect(await successorOf(daemon, 'lies', 1)).to.deep.include({ generation: 2, state: 'probation' })
    const failing = async () => !(await daemon.call('lies', 'version')).success
    await until(async () => !(await failing()), 'the generation before')
    expect(await versionOf(daemon, 'lies')).to.deep.equal({ version: 'one', generation: 3 })
    const [now, bad] = await daemon.system.get_generations('lies')
    expect(now).to.deep.include({ generation: 3, state: 'current', cause: 'rollback' })
    expect(bad).to.deep.include({ generation: 2, state: 'rolled_back' })
    expect(bad?.failure?.gate).to.equal('probation')
    expect(bad?.failure?.message).to.match(/\d+ of its first \d+ calls failed \(100 %\)/)
    const [incident] = await daemon.system.get_incidents('lies')
    expect(incident).to.deep.include({ kind: 'rolled_back', generation: 2 })
    expect(incident?.action).to.include('generation 3 has the files from before')
  })

  it('takes a generation back that gives up', async () => {
    await versionOf(daemon, 'dies')
    saveCode(daemon.world, 'dies', 'two', { operations: 'version: () => process.exit(7),' })
    await successorOf(daemon, 'dies', 1)
    expect((await daemon.refusal('dies', 'version')).code).to.equal('PLUGIN_CRASHED')
    await until(async () => (await served(daemon, 'dies')).generation === 3, 'the roll-back')
    expect((await versionOf(daemon, 'dies')).version).to.equal('one')
    const kinds = (await daemon.system.get_incidents('dies')).map(({ kind }) => kind)
    expect(kinds).to.include.members(['exit', 'gave_up', 'rolled_back'])
  })

  it('ends where the generation does as well as the one before', async () => {
    await versionOf(daemon, 'passes')
    saveCode(daemon.world, 'passes', 'two')
    await successorOf(daemon, 'passes', 1)
    for (let count = 0; count < 10; count += 1)
      expect((await versionOf(daemon, 'passes')).version).to.equal('two')
    await until(async () => (await served(daemon, 'passes')).state === 'current', 'the end of probation')
    expect((await served(daemon, 'passes')).generation).to.equal(2)
  })
})

describe('The end of a daemon during a reload', function () {
  this.timeout(60_000)

  for (const [what, manifest] of [
    ['beside the old generation', ''],
    ['in place of an exclusive one', '[runtime]\nexclusive = true\n'],
  ] as const) {
    it(`(${what}) ends every process soon, and answers whoever asked for the reload`, async () => {
      const daemon = await TestDaemon.start({ prepare: (world) => addVersioned(world, 'busy', { manifest }) })
      try {
        await versionOf(daemon, 'busy')
        const [old] = childrenOf(daemon.pid)
        saveCode(daemon.world, 'busy', 'two', HANGS)
        const isComing = () => childrenOf(daemon.pid).some((pid) => pid !== old)
        await until(isComing, 'the process of the new generation')
        const asked = refusalOf(daemon.system.reload_plugin('busy'))
        const pids = childrenOf(daemon.pid)
        const startedAtMs = performance.now()
        await daemon.stop()
        expect(performance.now() - startedAtMs).to.be.below(8_000)
        expect(pids.filter(isAlive)).to.deep.equal([])
        expect(['DAEMON_SHUTTING_DOWN', 'DAEMON_LOST']).to.include((await asked).code)
      } finally {
        if (isAlive(daemon.pid)) await daemon.stop()
      }
    })
  }
})
