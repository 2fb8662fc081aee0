import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import {
  addVersioned,
  callDuring,
  expectNoStrays,
  save,
  saveCode,
  served,
  snapshotsOf,
  successorOf,
  versionOf,
} from '../helpers/reloads.ts'

interface Described {
  count: number
  generation: number
  quiesced: number
  resumed: number
  previous_state: { count: number } | null
}

describe('A reload', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['counter-state', 'exclusive-port', 'echoes'],
      prepare: (world) => {
        for (const id of ['saved', 'asked', 'still', 'twice', 'leaves', 'lies_still']) addVersioned(world, id)
        addVersioned(world, 'two_places')
        addVersioned(world, 'spare', { manifest: '[runtime]\nstandby = 1\n' })
        addVersioned(world, 'files', {
          operations: `late: () => import('./more.js').then((more) => more.default)`,
        })
        world.write('plugins/files/more.js', 'export default "more of one"\n')
        addVersioned(world, 'typed')
        world.write(
          'plugins/typed/plugin.toml',
          manifestText('typed').replace('index.js', 'index.ts').replace('"N"', '"Typed"'),
        )
        world.write('plugins/typed/index.ts', typed('one'))
        for (const name of ['here', 'there']) fs.mkdirSync(world.path(name))
      },
    })
  })
  after(() => daemon.stop())

  it('of a saved file makes generation n + 1, and later calls say so', async () => {
    expect(await versionOf(daemon, 'saved')).to.deep.equal({ version: 'one', generation: 1 })
    const before = await served(daemon, 'saved')
    saveCode(daemon.world, 'saved', 'two')
    const after = await successorOf(daemon, 'saved', 1)
    expect(after).to.deep.include({ generation: 2, state: 'current', cause: 'files', kept: true })
    expect(after.digest).to.be.a('string').that.is.not.equal(before.digest)
    expect(await versionOf(daemon, 'saved')).to.deep.equal({ version: 'two', generation: 2 })
    const [, first] = await daemon.system.get_generations('saved')
    expect(first).to.deep.include({ generation: 1, state: 'superseded', cause: 'start', failure: null })
  })

  it('ends the process of the generation before', async () => {
    await versionOf(daemon, 'leaves')
    const pid = await daemon.pidOf('leaves')
    saveCode(daemon.world, 'leaves', 'two')
    await successorOf(daemon, 'leaves', 1)
    await until(() => !isAlive(pid), 'the end of the old process')
    const generations = async () =>
      (await daemon.info('leaves')).instances.map(({ generation }) => generation)
    await until(async () => (await generations()).join() === '2', 'the new process alone')
    expect((await daemon.info('leaves')).last_exit).to.deep.include({ class: 'expected', generation: 1 })
    expect(await daemon.system.get_incidents('leaves')).to.deep.equal([])
  })

  it('of a plugin that does not run is tried at once, and the next call meets it', async () => {
    saveCode(daemon.world, 'lies_still', 'two')
    await successorOf(daemon, 'lies_still', 1)
    expect(await versionOf(daemon, 'lies_still')).to.deep.equal({ version: 'two', generation: 2 })
  })

  it('does not happen where nothing changed', async () => {
    await versionOf(daemon, 'still')
    fs.mkdirSync(daemon.world.path('plugins/still/an-empty-folder'))
    // What is saved later is taken later: so this event is over when that generation serves.
    await versionOf(daemon, 'twice')
    saveCode(daemon.world, 'twice', 'two')
    await successorOf(daemon, 'twice', 1)
    expect((await served(daemon, 'still')).generation).to.equal(1)
    saveCode(daemon.world, 'still', 'two')
    expect((await successorOf(daemon, 'still', 1)).generation).to.equal(2)
  })

  it('by call is made whatever has changed, and says how long it took', async () => {
    const result = await daemon.system.reload_plugin('asked')
    expect(result).to.deep.include({ plugin_id: 'asked', changed: true, generation: 2 })
    expect(result.duration_ms).to.be.above(0)
    expect(await versionOf(daemon, 'asked')).to.deep.equal({ version: 'one', generation: 2 })
    expect((await served(daemon, 'asked')).cause).to.equal('call')
  })

  it('during another one waits for it', async () => {
    const results = await Promise.all(['a', 'b', 'c'].map(() => daemon.system.reload_plugin('echoes')))
    expect(results.map(({ generation }) => generation)).to.deep.equal([2, 3, 4])
    expect((await daemon.call('echoes', 'echo', 1)).metadata.generation).to.equal(4)
    const { instances } = await daemon.info('echoes')
    expect(instances.filter(({ role }) => role === 'active')).to.have.lengthOf(1)
  })

  it('switches the processes of all workspaces', async () => {
    const { world } = daemon
    const workspaces = [world.path('here'), world.path('there')]
    for (const place of workspaces) await versionOf(daemon, 'two_places', place)
    saveCode(world, 'two_places', 'two')
    await successorOf(daemon, 'two_places', 1)
    const answers = await Promise.all(workspaces.map((place) => versionOf(daemon, 'two_places', place)))
    for (const answer of answers) expect(answer).to.deep.equal({ version: 'two', generation: 2 })
    const active = (await daemon.info('two_places')).instances.filter(({ role }) => role === 'active')
    expect(active.map(({ workspace }) => workspace)).to.have.members(workspaces)
  })

  it('renews the standby, too', async () => {
    await versionOf(daemon, 'spare')
    const standbys = async () =>
      (await daemon.info('spare')).instances.filter(({ role, pid }) => role === 'standby' && pid !== null)
    await until(async () => (await standbys()).length === 1, 'the standby')
    const [before] = await standbys()
    saveCode(daemon.world, 'spare', 'two')
    await successorOf(daemon, 'spare', 1)
    const isNew = async () => (await standbys()).some(({ generation }) => generation === 2)
    await until(isNew, 'a standby of the new generation')
    await until(() => !isAlive(before!.pid!), 'the end of the old standby')
    process.kill(await daemon.pidOf('spare'), 'SIGKILL')
    const answered = async () => (await versionOf(daemon, 'spare').catch(() => null))?.version === 'two'
    await until(answered, 'the new code after a crash')
  })

  it('leaves a running generation the files that it was made from', async () => {
    await versionOf(daemon, 'files')
    fs.writeFileSync(daemon.world.path('plugins/files/more.js'), 'this is not JavaScript (')
    // Loaded only now, and by whichever generation serves: the entry itself does not name it.
    const { result, metadata } = await daemon.call('files', 'late')
    if (metadata.generation === 1) expect(result).to.equal('more of one')
    await successorOf(daemon, 'files', 1)
    await daemon.system.rollback_plugin('files', 1)
    expect((await daemon.call('files', 'late')).result).to.equal('more of one')
  })

  it('strips the types of a TypeScript plugin anew', async () => {
    expect((await versionOf(daemon, 'typed')).version).to.equal('one')
    save(daemon.world, 'plugins/typed/index.ts', typed('two'))
    await successorOf(daemon, 'typed', 1)
    expect((await versionOf(daemon, 'typed')).version).to.equal('two')
  })

  it('hands what export_state gives to the next generation, after quiesce', async () => {
    for (let count = 0; count < 3; count += 1) await daemon.call('counter_state', 'add', 2)
    await daemon.system.reload_plugin('counter_state')
    const { result } = await daemon.call<Described>('counter_state', 'describe')
    expect(result).to.deep.include({ count: 6, generation: 2, previous_state: { count: 6, quiesced: 1 } })
    expect((await daemon.call('counter_state', 'add', 1)).result).to.equal(7)
  })

  it('loses no count of a plugin that hands its state on, while calls come all the time', async () => {
    const before = (await daemon.call<Described>('counter_state', 'describe')).result!.count
    let sent = 0
    const add = async (): Promise<void> => {
      sent += 1
      expect((await daemon.call('counter_state', 'add', 1)).success).to.equal(true)
    }
    const reloads = (async () => {
      for (let count = 0; count < 5; count += 1) await daemon.system.reload_plugin('counter_state')
    })()
    await Promise.all(Array.from({ length: 8 }, () => callDuring(reloads, add)))
    expect((await daemon.call<Described>('counter_state', 'describe')).result?.count).to.equal(before + sent)
  })

  it('of an exclusive plugin ends the old generation before the new one starts, and calls wait', async () => {
    await daemon.call('exclusive_port', 'fine')
    const reload = daemon.system.reload_plugin('exclusive_port')
    const calls = Array.from({ length: 10 }, () => daemon.call<string>('exclusive_port', 'fine'))
    await reload
    expect((await Promise.all(calls)).every(({ success }) => success)).to.equal(true)
    expect((await daemon.call('exclusive_port', 'order')).result).to.deep.equal([
      'start 1',
      'stop 1',
      'start 2',
    ])
  })

  it('leaves no process that the daemon does not tell of', async () => {
    await expectNoStrays(daemon)
  })
})

describe('rollback_plugin()', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: 'reload: {debounce_ms: 20, kept_generations: 2}\n',
      prepare: (world) => ['back', 'named', 'fresh', 'many'].forEach((id) => addVersioned(world, id)),
    })
  })
  after(() => daemon.stop())

  async function next(id: string, version: string): Promise<void> {
    const { generation } = await served(daemon, id)
    saveCode(daemon.world, id, version)
    await successorOf(daemon, id, generation)
  }

  it('brings the one before back, as a new generation, and a second time the one before that', async () => {
    await versionOf(daemon, 'back')
    await next('back', 'two')
    await next('back', 'three')
    const result = await daemon.system.rollback_plugin('back')
    expect(result).to.deep.include({ plugin_id: 'back', changed: true, generation: 4 })
    expect(await versionOf(daemon, 'back')).to.deep.equal({ version: 'two', generation: 4 })
    expect(await served(daemon, 'back')).to.deep.include({ cause: 'rollback', state: 'current' })
    const third = (await daemon.system.get_generations('back')).find(({ generation }) => generation === 3)
    expect(third?.state).to.equal('rolled_back')
  })

  it('brings a named one back', async () => {
    await versionOf(daemon, 'named')
    await next('named', 'two')
    await next('named', 'three')
    await daemon.system.rollback_plugin('named', 1)
    expect(await versionOf(daemon, 'named')).to.deep.equal({ version: 'one', generation: 4 })
  })

  it('is refused where there is none, and where it is not kept any more', async () => {
    const none = await refusalOf(daemon.system.rollback_plugin('fresh'))
    expect(none).to.deep.include({ code: 'GENERATION_NOT_FOUND' })
    const unknown = await refusalOf(daemon.system.rollback_plugin('fresh', 7))
    expect(unknown).to.deep.include({ code: 'GENERATION_NOT_FOUND' })
    expect(unknown.message).to.match(/generation 7 is not kept\. There is none to go back to$/)
    const nobody = await refusalOf(daemon.system.rollback_plugin('nobody'))
    expect(nobody.code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('finds as many as are kept, and no more files of them lie on the disk', async () => {
    await versionOf(daemon, 'many')
    for (const version of ['two', 'three', 'four', 'five', 'six']) await next('many', version)
    const generations = await daemon.system.get_generations('many')
    expect(generations.map(({ generation }) => generation)).to.deep.equal([6, 5, 4])
    const refused = await refusalOf(daemon.system.rollback_plugin('many', 2))
    expect(refused.code).to.equal('GENERATION_NOT_FOUND')
    expect(refused.details).to.deep.include({ kept: [4, 5] })
    expect(snapshotsOf(daemon.world, 'many')).to.have.lengthOf(3)
    await daemon.system.rollback_plugin('many', 4)
    expect((await versionOf(daemon, 'many')).version).to.equal('four')
  })
})

function typed(version: string): string {
  return `const answer: string = '${version}'\nexport default { operations: { version: (): string => answer } }\n`
}
