import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import {
  addVersioned,
  expectNoStrays,
  saveCode,
  snapshotsOf,
  successorOf,
  versionedCode,
  versionOf,
} from '../helpers/reloads.ts'

describe('Plugin folders that come and go', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      prepare: (world) => {
        for (const id of ['goes', 'fades', 'swapped', 'unloaded', 'busy', 'fails', 'upset'])
          addVersioned(world, id, id === 'fails' || id === 'upset' ? FRAIL : {})
        world.write('plugins/lacking/plugin.toml', manifestText('lacking'))
        world.write('plugins/a-folder/plugin.toml', '[plugin]\nname = "no id yet"\n')
        world.write('plugins/a-folder/index.js', versionedCode('one'))
      },
    })
  })
  after(() => daemon.stop())

  async function untilKnown(id: string): Promise<void> {
    const isKnown = async () =>
      (await daemon.system.list_plugins()).some((known) => known.id === id && known.state === 'enabled')
    await until(isKnown, `"${id}" in the list`)
  }

  async function untilGone(id: string): Promise<void> {
    const isGone = async () => (await daemon.system.list_plugins()).every((known) => known.id !== id)
    await until(isGone, `the end of "${id}"`)
  }

  it('are loaded when they are copied in', async () => {
    addVersioned(daemon.world, 'comes')
    await untilKnown('comes')
    expect(await versionOf(daemon, 'comes')).to.deep.equal({ version: 'one', generation: 1 })
  })

  it('are loaded once they are whole, also where the manifest came long before the code', async () => {
    const { world } = daemon
    world.write('plugins/slowly/plugin.toml', manifestText('slowly'))
    const isListed = async () =>
      (await daemon.system.list_plugins()).some(({ id, state }) => id === 'slowly' && state === 'invalid')
    await until(isListed, 'the half plugin in the list')
    expect((await refusalOf(daemon.call('slowly', 'version'))).code).to.equal('MANIFEST_INVALID')
    world.write('plugins/slowly/index.js', versionedCode('one'))
    await untilKnown('slowly')
    expect((await versionOf(daemon, 'slowly')).version).to.equal('one')
  })

  it('that were broken when the daemon started are loaded when they are mended', async () => {
    daemon.world.write('plugins/lacking/index.js', versionedCode('one'))
    await untilKnown('lacking')
    expect((await versionOf(daemon, 'lacking')).version).to.equal('one')
  })

  it('get the id that their manifest gives once it does', async () => {
    daemon.world.write('plugins/a-folder/plugin.toml', manifestText('with_an_id'))
    await untilKnown('with_an_id')
    expect((await versionOf(daemon, 'with_an_id')).version).to.equal('one')
    expect((await daemon.refusal('a-folder', 'version')).code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('answer PLUGIN_NOT_FOUND when they are removed, and calls that run end in order', async () => {
    const { world } = daemon
    await versionOf(daemon, 'goes')
    const pid = await daemon.pidOf('goes')
    const running = daemon.call('goes', 'wait', 700)
    await until(async () => (await daemon.info('goes')).instances[0]?.calls_in_flight === 1, 'the call')
    fs.rmSync(world.path('plugins/goes'), { recursive: true })
    await untilGone('goes')
    expect((await daemon.refusal('goes', 'version')).code).to.equal('PLUGIN_NOT_FOUND')
    expect((await running).result).to.equal(700)
    await until(() => !isAlive(pid), 'the end of its process')
    await until(() => snapshotsOf(world, 'goes').length === 0, 'the end of its copies')
    addVersioned(world, 'goes')
    await untilKnown('goes')
    expect(await versionOf(daemon, 'goes')).to.deep.equal({ version: 'one', generation: 1 })
  })

  it('go also when the manifest went some time before', async () => {
    await versionOf(daemon, 'fades')
    fs.rmSync(daemon.world.path('plugins/fades/plugin.toml'))
    const isTold = async () => (await daemon.system.get_incidents('fades')).length > 0
    await until(isTold, 'the incident')
    expect((await versionOf(daemon, 'fades')).version).to.equal('one')
    fs.rmSync(daemon.world.path('plugins/fades'), { recursive: true })
    await untilGone('fades')
  })

  it('that are swapped for others in one step are a new generation', async () => {
    const { world } = daemon
    await versionOf(daemon, 'swapped')
    world.write('next/plugin.toml', manifestText('swapped'))
    world.write('next/index.js', versionedCode('two'))
    fs.renameSync(world.path('plugins/swapped'), world.path('before'))
    fs.renameSync(world.path('next'), world.path('plugins/swapped'))
    await until(async () => (await versionOf(daemon, 'swapped')).version === 'two', 'the new folder')
    saveCode(world, 'swapped', 'three')
    await until(async () => (await versionOf(daemon, 'swapped')).version === 'three', 'a save in it')
  })

  it('that are unloaded stay so until they are loaded', async () => {
    const { system, world } = daemon
    await versionOf(daemon, 'unloaded')
    const pid = await daemon.pidOf('unloaded')
    expect(await system.unload_plugin('unloaded')).to.equal(true)
    expect(isAlive(pid)).to.equal(false)
    expect((await daemon.refusal('unloaded', 'version')).code).to.equal('PLUGIN_NOT_FOUND')
    saveCode(world, 'unloaded', 'two')
    addVersioned(world, 'barrier')
    await untilKnown('barrier')
    expect((await daemon.refusal('unloaded', 'version')).code).to.equal('PLUGIN_NOT_FOUND')
    expect(await system.load_plugin('unloaded')).to.deep.include({ id: 'unloaded', state: 'enabled' })
    expect(await versionOf(daemon, 'unloaded')).to.deep.equal({ version: 'two', generation: 1 })
    saveCode(world, 'unloaded', 'three')
    await successorOf(daemon, 'unloaded', 1)
    expect((await refusalOf(system.load_plugin('nobody'))).code).to.equal('PLUGIN_NOT_FOUND')
    expect((await refusalOf(system.unload_plugin('nobody'))).code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('that are unloaded during a reload leave no process', async () => {
    await versionOf(daemon, 'busy')
    const reload = daemon.system.reload_plugin('busy').catch(({ code }: { code: string }) => code)
    expect(await daemon.system.unload_plugin('busy')).to.equal(true)
    const outcome = await reload
    if (typeof outcome === 'string') expect(outcome).to.equal('PLUGIN_NOT_FOUND')
    await expectNoStrays(daemon)
    expect((await daemon.refusal('busy', 'version')).code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('of a failed plugin lead out of it when a file changes', async () => {
    await fail('fails')
    saveCode(daemon.world, 'fails', 'two')
    await until(async () => (await daemon.info('fails')).state === 'enabled', 'a new try')
    expect((await versionOf(daemon, 'fails')).version).to.equal('two')
  })

  it('of a failed plugin wait for a reset where nothing changes', async () => {
    await fail('upset')
    expect(await daemon.system.reset_plugin('upset')).to.deep.include({ id: 'upset', state: 'enabled' })
    expect(await versionOf(daemon, 'upset')).to.deep.equal({ version: 'one', generation: 1 })
    expect((await refusalOf(daemon.system.reset_plugin('nobody'))).code).to.equal('PLUGIN_NOT_FOUND')
  })

  async function fail(id: string): Promise<void> {
    expect((await daemon.refusal(id, 'die')).code).to.equal('PLUGIN_CRASHED')
    await until(async () => (await daemon.info(id)).state === 'failed', `the failure of ${id}`)
    expect((await daemon.refusal(id, 'version')).code).to.equal('PLUGIN_FAILED')
  }
})

const FRAIL = { manifest: '[restart]\nintensity = 0\n', operations: 'die: () => process.exit(7),' }

describe('Copies of plugin files', () => {
  it('of an earlier daemon do not pile up', async function () {
    this.timeout(60_000)
    const world = new World({ config: 'reload: {debounce_ms: 20}\n' })
    try {
      for (const id of ['stays', 'leaves']) addVersioned(world, id)
      await live(world, async (daemon) => {
        for (const id of ['stays', 'leaves']) await daemon.execute_plugin(id, 'version')
        for (let count = 0; count < 3; count += 1) await daemon.reload_plugin('stays')
        saveCode(world, 'stays', 'two')
        await until(() => snapshotsOf(world, 'stays').length === 2, 'two copies')
      })
      fs.rmSync(world.path('plugins/leaves'), { recursive: true })
      await live(world, async (daemon) => {
        expect((await daemon.execute_plugin('stays', 'version')).result).to.equal('two')
        expect(snapshotsOf(world, 'stays')).to.have.lengthOf(1)
        expect(snapshotsOf(world, 'leaves')).to.deep.equal([])
      })
    } finally {
      world.remove()
    }
  })

  async function live(
    world: World,
    use: (system: Awaited<ReturnType<World['attach']>>) => Promise<void>,
  ): Promise<void> {
    const system = await world.attach()
    const { pid } = await system.get_status()
    try {
      await use(system)
    } finally {
      await system.shutdown()
      await until(() => !isAlive(pid), 'the end of the daemon')
    }
  }
})
