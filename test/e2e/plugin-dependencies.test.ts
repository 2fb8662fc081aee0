import fs from 'node:fs'
import { expect } from 'chai'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import {
  addCode,
  addSections,
  incidentOf,
  instanceOf,
  readyPid,
  withoutProcess,
} from '../helpers/supervised.ts'

describe('A plugin that needs another', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: [
        'depends-on-counter',
        'counter-state',
        'depends-on-counter as needs_newer',
        'depends-on-counter as needs_missing',
        'depends-on-counter as needs_failing',
        'depends-on-counter as needs_restless',
        'crash-on-call as restless',
        'crash-at-start as failing',
      ],
      prepare: (world) => {
        need(world.plugins, 'needs_newer', 'counter_state = "^2.0.0"')
        need(world.plugins, 'needs_missing', 'counter_stat = "*"')
        need(world.plugins, 'needs_failing', 'failing = "*"')
        need(world.plugins, 'needs_restless', 'restless = "*"')
        addSections(world, 'needs_failing', '[restart]\nintensity = 0')
        addSections(world, 'failing', '[restart]\nintensity = 2')
        addSections(world, 'restless', '[restart]\nintensity = 100')
        for (const [id, next] of [
          ['one', 'two'],
          ['two', 'three'],
          ['three', 'one'],
        ] as const)
          addCode(
            world,
            id,
            'export default { operations: { fine: () => 1 } }\n',
            `[plugin_dependencies]\n${next} = "*"`,
          )
      },
    })
  })
  after(() => daemon.stop())

  it('finds it running in the same workspace when it starts', async () => {
    expect((await daemon.info('counter_state')).instances).to.deep.equal([])
    expect((await daemon.call('depends_on_counter', 'fine')).result).to.equal('fine')
    const needed = await instanceOf(daemon, 'counter_state')
    const needing = await instanceOf(daemon, 'depends_on_counter')
    expect(needed).to.deep.include({ state: 'ready', workspace: daemon.world.folder })
    expect(Date.parse(needed!.started_at)).to.be.at.most(Date.parse(needing!.started_at))
  })

  it('is refused by the name of what is not there, with the nearest that is', async () => {
    const error = await daemon.refusal('needs_missing', 'fine')
    expect(error.code).to.equal('DEPENDENCY_UNAVAILABLE')
    expect(error.message).to.contain('"counter_stat"').and.to.contain('there is "counter_state"')
  })

  it('is refused by the version that it finds', async () => {
    const error = await daemon.refusal('needs_newer', 'fine')
    expect(error.code).to.equal('DEPENDENCY_UNAVAILABLE')
    expect(error.message).to.contain('"counter_state" ^2.0.0').and.to.contain('found 1.0.0')
  })

  it('is refused by the whole circle that it stands in', async () => {
    const ways = {
      one: 'one → two → three → one',
      two: 'two → three → one → two',
      three: 'three → one → two → three',
    }
    for (const [id, way] of Object.entries(ways)) {
      const error = await daemon.refusal(id, 'fine')
      expect(error.code).to.equal('DEPENDENCY_UNAVAILABLE')
      expect(error.message).to.contain(way)
    }
  })

  it('is not charged with a start that fails of the other', async () => {
    for (let time = 0; time < 3; time += 1) {
      const error = await daemon.refusal('needs_failing', 'fine')
      expect(error.code).to.equal('DEPENDENCY_UNAVAILABLE')
      expect(error.message).to.contain('"failing"')
    }
    await incidentOf(daemon, 'failing', 'gave_up')
    expect((await daemon.info('needs_failing')).state).to.equal('enabled')
    expect((await daemon.refusal('needs_failing', 'fine')).message).to.contain('"failing"')
  })

  it('waits for one that is about to be started again', async () => {
    for (let time = 0; time < 3; time += 1)
      expect((await daemon.refusal('restless', 'crash')).code).to.equal('PLUGIN_CRASHED')
    expect((await daemon.call('needs_restless', 'fine')).result).to.equal('fine')
  })

  it('starts the other anew where that was stopped', async () => {
    process.kill(await readyPid(daemon, 'depends_on_counter'), 'SIGKILL')
    const pid = await readyPid(daemon, 'counter_state')
    process.kill(pid, 'SIGKILL')
    await readyPid(daemon, 'counter_state', pid)
    expect((await daemon.call('depends_on_counter', 'fine')).result).to.equal('fine')
  })

  it('is refused while the other is switched off, and starts no process of it', async () => {
    const { system } = daemon
    expect((await daemon.call('depends_on_counter', 'fine')).result).to.equal('fine')
    await system.update_plugin_config('counter_state', { enabled: false })
    const error = await daemon.refusal('depends_on_counter', 'fine')
    expect(error.code).to.equal('DEPENDENCY_UNAVAILABLE')
    expect(error.message).to.contain('"counter_state"').and.to.contain('enabled: false')
    const rejected = await refusalOf(system.reload_plugin('depends_on_counter'))
    expect(rejected.details['gate']).to.equal('dependencies')
    await withoutProcess(daemon, 'counter_state')
    expect((await daemon.info('counter_state')).reason).to.equal('its configuration says enabled: false')
    expect((await daemon.info('depends_on_counter')).reason).to.contain('"counter_state"')
    await system.update_plugin_config('counter_state', { enabled: null })
    expect((await daemon.call('depends_on_counter', 'fine')).result).to.equal('fine')
    expect((await daemon.info('depends_on_counter')).reason).to.equal(null)
  })

  it('runs as soon as the other comes, and is refused as soon as it goes', async () => {
    const away = daemon.world.path('away')
    const folder = daemon.world.path('plugins', 'counter_state')
    const refuses = async (): Promise<boolean> =>
      await daemon.call('depends_on_counter', 'fine').then(
        () => false,
        ({ code }) => code === 'DEPENDENCY_UNAVAILABLE',
      )
    fs.renameSync(folder, away)
    await until(refuses, 'the refusal')
    fs.renameSync(away, folder)
    await until(async () => !(await refuses()), 'the end of the refusal')
    await daemon.system.unload_plugin('counter_state')
    expect(await refuses()).to.equal(true)
    await daemon.system.load_plugin('counter_state')
    expect((await daemon.call('depends_on_counter', 'fine')).result).to.equal('fine')
  })
})

describe('An eager plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['depends-on-counter', 'counter-state', 'crash-at-start'],
      prepare: (world) => {
        addSections(world, 'depends_on_counter', '[runtime]\nactivation = "eager"')
        addSections(world, 'crash_at_start', '[runtime]\nactivation = "eager"\n[restart]\nintensity = 2')
      },
    })
  })
  after(() => daemon.stop())

  it('starts with the daemon, and what it needs before it', async () => {
    await readyPid(daemon, 'depends_on_counter')
    await readyPid(daemon, 'counter_state')
    expect((await daemon.system.get_status()).calls.total).to.equal(0)
  })

  it('that cannot start is tried again by itself, then failed, and the daemon goes on', async () => {
    await incidentOf(daemon, 'crash_at_start', 'gave_up')
    await withoutProcess(daemon, 'crash_at_start')
    const started = (await daemon.system.get_incidents('crash_at_start')).filter(
      ({ kind }) => kind === 'start_failed',
    )
    expect(started).to.have.length(3)
    expect(started.at(-1)?.action).to.equal('started again at once')
    expect((await daemon.refusal('crash_at_start', 'fine')).code).to.equal('PLUGIN_FAILED')
  })
})

/** Needs something else than its fixture does. */
function need(plugins: string, id: string, line: string): void {
  const file = `${plugins}/${id}/plugin.toml`
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/^counter_state = .*$/m, line))
}
