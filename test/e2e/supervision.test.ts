import { expect } from 'chai'
import { outcomeOf, TestDaemon, until } from '../helpers/daemon.ts'
import { addCode, addSections, incidentOf, readyPid, timed, withoutProcess } from '../helpers/supervised.ts'

const POLICIES = ['permanent', 'transient', 'temporary'] as const

describe('A plugin whose process ends', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: POLICIES.flatMap((policy) => [
        `exit-zero as ${policy}_end`,
        `crash-on-call as ${policy}_crash`,
      ]),
      prepare: (world) => {
        for (const policy of POLICIES)
          for (const end of ['end', 'crash'])
            addSections(world, `${policy}_${end}`, `[restart]\npolicy = "${policy}"\nintensity = 100`)
      },
    })
  })
  after(() => daemon.stop())

  for (const policy of ['permanent', 'transient'] as const) {
    it(`by a crash runs again without a call where it is ${policy}`, async () => {
      const id = `${policy}_crash`
      await daemon.call(id, 'fine')
      const pid = await readyPid(daemon, id)
      process.kill(pid, 'SIGKILL')
      await readyPid(daemon, id, pid)
      const { action, class: ended, generation, workspace } = await incidentOf(daemon, id, 'exit')
      expect({ ended, generation, workspace }).to.deep.equal({
        ended: 'crash',
        generation: 1,
        workspace: daemon.world.folder,
      })
      expect(action).to.equal('started again at once')
      expect((await daemon.system.get_plugin_health(id)).restarts).to.equal(1)
    })
  }

  it('by a crash stays down until the next call where it is temporary', async () => {
    expect((await daemon.refusal('temporary_crash', 'crash')).code).to.equal('PLUGIN_CRASHED')
    await withoutProcess(daemon, 'temporary_crash')
    expect((await incidentOf(daemon, 'temporary_crash', 'exit')).action).to.equal('the next call starts it')
    expect((await daemon.call('temporary_crash', 'fine')).success).to.equal(true)
    expect((await daemon.system.get_plugin_health('temporary_crash')).restarts).to.equal(0)
  })

  it('with code 0 and no call in flight runs again where it is permanent', async () => {
    await daemon.call('permanent_end', 'fine')
    const pid = await readyPid(daemon, 'permanent_end')
    await daemon.call('permanent_end', 'answer_and_leave')
    await readyPid(daemon, 'permanent_end', pid)
    expect((await daemon.info('permanent_end')).last_exit).to.deep.include({ class: 'expected', code: 0 })
  })

  for (const policy of ['transient', 'temporary'] as const) {
    it(`with code 0 and no call in flight stays down where it is ${policy}, and nothing went wrong`, async () => {
      const id = `${policy}_end`
      await daemon.call(id, 'answer_and_leave')
      await withoutProcess(daemon, id)
      expect((await daemon.info(id)).last_exit).to.deep.include({ class: 'expected', code: 0 })
      expect(await daemon.system.get_incidents(id)).to.deep.equal([])
      expect((await daemon.call(id, 'fine')).success).to.equal(true)
    })
  }

  it('with code 0 under a call is a crash to that call', async () => {
    const error = await daemon.refusal('transient_end', 'leave')
    expect(error.code).to.equal('PLUGIN_CRASHED')
    expect(error.details).to.deep.include({ exit_class: 'crash', exit_code: 0 })
  })
})

describe('A plugin that ends too often', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['crash-on-call', 'crash-on-call as crowded', 'crash-on-call as mended'],
      prepare: (world) => {
        for (const id of ['crash_on_call', 'crowded', 'mended'])
          addSections(world, id, '[restart]\nintensity = 2')
      },
    })
  })
  after(() => daemon.stop())

  it('is failed: its calls are refused at once, and no process comes', async () => {
    await failPlugin(daemon, 'crash_on_call')
    const { value: error, ms } = await timed(daemon.refusal('crash_on_call', 'fine'))
    expect(error.code).to.equal('PLUGIN_FAILED')
    expect(error.retryable).to.equal(false)
    expect(error.message).to.contain('3 times within 60000 ms').and.to.contain('phantom reset crash_on_call')
    expect(ms).to.be.below(1000)
    await withoutProcess(daemon, 'crash_on_call')
    const { state, reason } = await daemon.info('crash_on_call')
    expect(state).to.equal('failed')
    expect(reason).to.contain('restart intensity is 2')
    expect((await daemon.system.get_status()).plugins.by_state).to.deep.include({ failed: 1 })
  })

  it('tells by its incidents what happened, the newest first', async () => {
    await incidentOf(daemon, 'crash_on_call', 'gave_up')
    const incidents = await daemon.system.get_incidents('crash_on_call')
    expect(incidents.map(({ kind }) => kind)).to.have.members(['gave_up', 'exit', 'exit', 'exit'])
    expect(incidents.find(({ kind }) => kind === 'gave_up')?.action).to.contain('until it is reset')
    const last = incidents.find(({ kind }) => kind === 'exit')!
    expect(last.action).to.contain('given up')
    expect(last.message).to.contain('crashed as asked')
    expect(last.limits).to.deep.include({ max_memory_mb: 256, max_execution_time_ms: 30_000, concurrency: 1 })
    expect(last.log.join('\n')).to.contain('crashed as asked')
    expect(await daemon.system.get_incidents('crash_on_call', 1)).to.have.length(1)
  })

  it('is unhealthy, with its reason', async () => {
    const { status, reasons, state } = await daemon.system.get_plugin_health('crash_on_call')
    expect({ status, state }).to.deep.equal({ status: 'unhealthy', state: 'failed' })
    expect(reasons.join('\n')).to.contain('it is failed: it ended abnormally 3 times')
  })

  it('runs again after a reset, its restarts counted anew', async () => {
    expect((await daemon.system.reset_plugin('crash_on_call')).state).to.equal('enabled')
    expect((await daemon.call('crash_on_call', 'fine')).success).to.equal(true)
    for (let time = 0; time < 2; time += 1)
      expect((await daemon.refusal('crash_on_call', 'crash')).code).to.equal('PLUGIN_CRASHED')
    expect((await daemon.call('crash_on_call', 'fine')).success).to.equal(true)
    expect((await daemon.info('crash_on_call')).state).to.equal('enabled')
  })

  it('refuses the calls that wait, each once', async () => {
    const client = await daemon.connect()
    const crashes = [0, 1, 2].map(() => outcomeOf(daemon.call('crowded', 'crash')))
    const waiting = Array.from({ length: 20 }, () => outcomeOf(daemon.call('crowded', 'fine')))
    expect(await Promise.all(crashes)).to.deep.equal(Array(3).fill('PLUGIN_CRASHED'))
    expect(await Promise.all(waiting)).to.deep.equal(Array(20).fill('PLUGIN_FAILED'))
    const { calls } = (await client.request('get_status')).result as { calls: Record<string, number> }
    expect(calls).to.deep.include({ in_flight: 0, queued: 0 })
  })

  it('runs again when its files change', async () => {
    await failPlugin(daemon, 'mended')
    daemon.world.write(
      'plugins/mended/index.mjs',
      'export default { operations: { fine: () => "mended" } }\n',
    )
    await until(async () => (await daemon.info('mended')).state === 'enabled', 'the mended plugin')
    expect((await daemon.call('mended', 'fine')).result).to.equal('mended')
  })
})

describe('A plugin that does not start', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['broken-syntax', 'crash-at-start'],
      prepare: (world) => {
        addSections(world, 'crash_at_start', '[restart]\nintensity = 1')
        addCode(
          world,
          'lost_import',
          "import './gone.js'\nexport default { operations: { fine: () => 1 } }\n",
        )
        addCode(
          world,
          'lost_export',
          "import { gone } from './other.js'\nexport default { operations: { gone } }\n",
        )
        world.write('plugins/lost_export/other.js', 'export const here = 1\n')
        addCode(world, 'no_default', 'export const operations = {}\n')
        addCode(
          world,
          'vetoes',
          'export default { operations: { fine: () => 1 }, validate_config: () => "not with me" }\n',
        )
        addCode(
          world,
          'throws_once',
          `import { existsSync, writeFileSync } from 'node:fs'
          export default {
            operations: { fine: () => 1 },
            initialize({ data_dir }) {
              if (existsSync(data_dir + '/seen')) return
              writeFileSync(data_dir + '/seen', '')
              JSON.parse('no JSON')
            },
          }`,
        )
      },
    })
  })
  after(() => daemon.stop())

  const hopeless = {
    broken_syntax: 'index.js:3: SyntaxError',
    lost_import: 'gone.js',
    lost_export: "named 'gone'",
    no_default: 'no default export',
    vetoes: 'not with me',
  }
  for (const [id, words] of Object.entries(hopeless)) {
    it(`is failed at once when it cannot but fail the same way again (${id})`, async () => {
      const error = await daemon.refusal(id, 'fine')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain(words)
      expect(error.details).to.deep.include({ deterministic: true })
      expect((await daemon.info(id)).state).to.equal('failed')
      expect((await daemon.refusal(id, 'fine')).code).to.equal('PLUGIN_FAILED')
      await incidentOf(daemon, id, 'gave_up')
      const kinds = (await daemon.system.get_incidents(id)).map(({ kind }) => kind)
      expect(kinds).to.have.members(['start_failed', 'gave_up'])
    })
  }

  it('because of what its initialize() throws may be started by the next call', async () => {
    const error = await daemon.refusal('throws_once', 'fine')
    expect(error.code).to.equal('PLUGIN_START_FAILED')
    expect(error.message).to.contain('SyntaxError').and.to.contain('no JSON')
    expect(error.details).to.not.have.property('deterministic')
    expect((await daemon.info('throws_once')).state).to.equal('enabled')
    expect((await daemon.call('throws_once', 'fine')).success).to.equal(true)
    const { action, log } = await incidentOf(daemon, 'throws_once', 'start_failed')
    expect(action).to.equal('the next call starts it anew')
    expect(log).to.be.an('array')
  })

  it('because it crashes is tried again by later calls, and failed past its intensity', async () => {
    for (let time = 0; time < 2; time += 1) {
      const error = await daemon.refusal('crash_at_start', 'fine')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain('crashed at its start')
    }
    expect((await daemon.refusal('crash_at_start', 'fine')).code).to.equal('PLUGIN_FAILED')
    const { message, class: ended } = await incidentOf(daemon, 'crash_at_start', 'start_failed', 2)
    expect(message).to.contain('crashed at its start')
    expect(ended).to.equal(null)
  })
})

/** One more crash than its intensity of 2 allows. */
async function failPlugin(daemon: TestDaemon, id: string): Promise<void> {
  for (let time = 0; time < 3; time += 1)
    expect((await daemon.refusal(id, 'crash')).code).to.equal('PLUGIN_CRASHED')
  await until(async () => (await daemon.info(id)).state === 'failed', `"${id}" to be failed`)
}
