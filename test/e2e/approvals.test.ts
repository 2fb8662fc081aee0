import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'chai'
import type { PluginSystemApi } from '../../src/index.ts'
import { addAsking, saveAsking } from '../helpers/asking-plugin.ts'
import { isAlive, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { rejectedAfter, save, saveCode, served, successorOf } from '../helpers/reloads.ts'

const WIDE = [
  'fs_read:/',
  'fs_read:/root',
  'fs_read:/home/ada',
  'fs_write:/etc/cron.d',
  'network:*',
  'process',
]

describe('the first sight of a plugin', function () {
  this.timeout(60_000)
  let world: World
  let system: PluginSystemApi | null = null

  beforeEach(() => {
    world = new World({ config: 'security:\n  required_tier: process\n' })
  })
  afterEach(async () => {
    await system?.shutdown()
    system = null
    world.remove()
  })

  for (const environment of ['development', 'test']) {
    it(`in ${environment} approves ordinary rights by itself, and says so`, async () => {
      addAsking(world, 'ordinary', ['fs_read:./data', 'env:LANG'])
      world.write('data/given.txt', 'given')
      system = await world.attach(world.folder, environment)
      const { approval, rights, waiting } = await system.get_permissions('ordinary')
      expect(approval).to.deep.include({
        source: 'first_sight',
        granted: ['env:LANG', 'fs_read:${workspace}/data'],
        actor: null,
      })
      expect(waiting).to.equal(null)
      expect(rights.map(({ right, risk, is_new }) => [right, risk, is_new])).to.deep.equal([
        ['env:LANG', 'low', false],
        ['fs_read:${workspace}/data', 'low', false],
      ])
      const read = await system.execute_plugin('ordinary', 'read', world.path('data/given.txt'))
      expect(read.result).to.equal('given')
    })
  }

  it('leaves wide rights to a person in development too, each with its risk in words', async () => {
    for (const [index, permission] of WIDE.entries())
      addAsking(world, `wide_${index}`, [permission, 'env:LANG'])
    addAsking(world, 'addons', [], '[runtime]\neval = true\n')
    system = await world.attach(world.folder, 'development')
    for (const index of WIDE.keys()) {
      const { state, rights, approval, waiting } = await system.get_permissions(`wide_${index}`)
      expect({ state, approval }, WIDE[index]).to.deep.equal({ state: 'blocked', approval: null })
      expect(rights.find(({ risk }) => risk === 'high')?.sentence, WIDE[index]).to.be.a('string')
      if (index < 4) expect(waiting).to.include('(high risk)').and.include(`phantom approve wide_${index}`)
    }
    const listed = (await system.list_plugins()).find(({ id }) => id === 'wide_0')
    expect(listed?.reason).to.include(
      'nobody has approved it; it asks for "env:LANG" (low risk), "fs_read:/" (high',
    )
    expect((await refusalOf(system.execute_plugin('wide_0', 'list', '/etc'))).code).to.equal('PLUGIN_BLOCKED')
    expect((await system.get_permissions('addons')).state, 'eval is no wide grant').to.equal('enabled')
  })

  it('gives a person\u2019s yes to the whole machine, without the daemon\u2019s own', async function () {
    addAsking(world, 'all', ['fs_read:/', 'process', 'network:*'])
    system = await world.attach()
    const { tier, state_directory: state } = await system.get_status()
    if (tier === 'process') skipBecause.call(this, 'no namespaces here: nothing could be left out')
    const { digest } = await system.get_permissions('all')
    expect(await system.approve_plugin('all', digest)).to.deep.include({ state: 'enabled', problem: null })
    const hostname = await system.execute_plugin('all', 'read', '/etc/hostname')
    expect(hostname.result).to.equal(fs.readFileSync('/etc/hostname', 'utf8'))
    const database = await system.execute_plugin('all', 'read', path.join(state, 'state.db'))
    expect(database.error, 'its folder is not there').to.include('ENOENT')
    const { rights } = await system.get_permissions('all')
    expect(rights.map(({ right, effective, refused }) => [right, effective !== null, refused])).to.deep.equal(
      [
        ['fs_read:/', true, null],
        ['network:*', true, null],
        ['process', true, null],
      ],
    )
  })

  it("shows nobody what another daemon keeps in the workspace's .phantom", async function () {
    addAsking(world, 'reader', ['fs_read:.'])
    world.write('elsewhere/.phantom/plugins/state.db', 'SECRET')
    world.write('elsewhere/given.txt', 'given')
    system = await world.attach()
    const { tier } = await system.get_status()
    if (tier === 'process') skipBecause.call(this, 'no namespaces here: the whole grant is refused')
    const workspace = world.path('elsewhere')
    expect((await system.execute_plugin('reader', 'read', 'given.txt', { workspace })).result).to.equal(
      'given',
    )
    expect((await system.execute_plugin('reader', 'list', '.phantom', { workspace })).result).to.deep.equal(
      [],
    )
  })

  it('of a state folder that came from another machine counts for nothing, and what was taken back stays so', async () => {
    for (const id of ['given', 'taken']) addAsking(world, id, ['fs_read:/root'])
    system = await world.attach()
    for (const id of ['given', 'taken'])
      await system.approve_plugin(id, (await system.get_permissions(id)).digest)
    await system.revoke_plugin('taken')
    expect((await system.get_permissions('given')).state).to.equal('enabled')
    await system.shutdown()
    const file = world.path('.phantom/plugins/state.db')
    const database = new DatabaseSync(file)
    database.exec("UPDATE facts SET value = '\"elsewhere\"' WHERE key = 'machine_origin'")
    database.close()
    system = await world.attach()
    const given = await system.get_permissions('given')
    expect({ state: given.state, approval: given.approval }).to.deep.equal({
      state: 'blocked',
      approval: null,
    })
    expect((await system.get_permissions('taken')).approval?.source).to.equal('revoked')
    const log = fs.readFileSync(world.path('.phantom/plugins/logs/daemon.log'), 'utf8')
    expect(log).to.include('were given on another machine and are forgotten')
    await system.approve_plugin('given', given.digest)
    await system.shutdown()
    system = await world.attach()
    expect((await system.get_permissions('given')).state, 'here it is kept').to.equal('enabled')
  })

  it('counts in no environment that leaves everything to a person', async () => {
    addAsking(world, 'ordinary', ['fs_read:./data'])
    system = await world.attach(world.folder, 'development')
    expect((await system.get_permissions('ordinary')).state).to.equal('enabled')
    await system.shutdown()
    system = await world.attach(world.folder, 'production')
    const { state, approval, rights } = await system.get_permissions('ordinary')
    expect({ state, approval }).to.deep.equal({ state: 'blocked', approval: null })
    expect(rights[0]).to.deep.include({ is_new: true, approved: [] })
    await system.shutdown()
    system = await world.attach(world.folder, 'development')
    expect((await system.get_permissions('ordinary')).state, 'and again').to.equal('enabled')
  })

  it('in production leaves everything to a person, also a plugin that asks for nothing', async () => {
    addAsking(world, 'nothing', [])
    addAsking(world, 'ordinary', ['env:LANG'])
    system = await world.attach(world.folder, 'production')
    for (const id of ['nothing', 'ordinary']) {
      const refused = await refusalOf(system.execute_plugin(id, 'variable', 'LANG'))
      expect(refused.code).to.equal('PLUGIN_BLOCKED')
      expect(refused.message).to.include('nobody has approved it').and.include(`phantom approve ${id}`)
      const { digest } = await system.get_permissions(id)
      expect(await system.approve_plugin(id, digest)).to.deep.include({ state: 'enabled', problem: null })
      expect((await system.execute_plugin(id, 'variable', 'LANG')).success).to.equal(true)
    }
    const builtin = (await system.list_plugins()).find((plugin) => plugin.builtin)
    expect(builtin?.state, 'built-in plugins come approved').to.equal('enabled')
    expect((await system.get_permissions(builtin?.id ?? '')).approval?.source).to.equal('built_in')
    const kept = await refusalOf(system.revoke_plugin(builtin?.id ?? ''))
    expect(kept.message).to.include('it comes with the package').and.include('policy.yaml')
  })

  it('is over once somebody decided: an approval outlives the daemon, and so does its end', async () => {
    addAsking(world, 'kept', ['fs_read:/etc/ssh'])
    addAsking(world, 'revoked', ['env:LANG'])
    system = await world.attach()
    const { digest } = await system.get_permissions('kept')
    await system.approve_plugin('kept', digest)
    await system.revoke_plugin('revoked')
    await system.shutdown()
    system = await world.attach()
    expect((await system.get_permissions('kept')).state).to.equal('enabled')
    const { state, waiting, approval } = await system.get_permissions('revoked')
    expect({ state, source: approval?.source }).to.deep.equal({ state: 'blocked', source: 'revoked' })
    expect(waiting).to.include('its approval was taken back')
  })

  it('of a widened manifest at the start of the daemon is blocked, with the difference', async () => {
    addAsking(world, 'widened', ['env:LANG'])
    system = await world.attach()
    await system.shutdown()
    addAsking(world, 'widened', ['env:LANG', 'fs_read:./data'])
    system = await world.attach()
    const { state, rights, waiting } = await system.get_permissions('widened')
    expect(state).to.equal('blocked')
    expect(waiting).to.equal(
      'it asks for more than was approved: "fs_read:${workspace}/data" (low risk). Decide with "phantom approve widened"',
    )
    expect(rights.map(({ right, is_new }) => [right, is_new])).to.deep.equal([
      ['env:LANG', false],
      ['fs_read:${workspace}/data', true],
    ])
  })
})

describe('an approval', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      environment: { LANG: 'C.UTF-8' },
      files: { 'data/given.txt': 'given', 'data/deep/inner.txt': 'inner', 'other/file.txt': 'other' },
      prepare: (world) => {
        addAsking(world, 'wider', ['fs_read:./data'])
        addAsking(world, 'narrower', ['fs_read:./data', 'fs_read:./other'])
        addAsking(world, 'part', ['fs_read:./data', 'fs_read:/etc/ssh', 'env:LANG,TZ'])
        addAsking(world, 'revoked', ['fs_read:./data'])
        addAsking(world, 'back', ['fs_read:./data', 'fs_read:./other'])
        addAsking(world, 'computes', ['fs_read:/root'], '[runtime]\neval = true\n')
        addAsking(world, 'fails', ['env:LANG'])
        world.write('plugins/fails/index.js', 'throw new Error("broken")\n')
        addAsking(world, 'slow', ['env:LANG'])
        addAsking(world, 'unheld', ['fs_read:/tmp'])
      },
    })
  })
  after(() => daemon.stop())

  it('lets an update that widens in, which waited while the old one served with its old rights', async () => {
    const { folder } = daemon.world
    expect((await daemon.call('wider', 'read', `${folder}/data/given.txt`)).result).to.equal('given')
    saveAsking(daemon.world, 'wider', ['fs_read:./data', 'fs_read:./other'])
    const { failure } = await rejectedAfter(daemon, 'wider', 1)
    expect(failure.gate).to.equal('permissions')
    expect((await daemon.refusal('wider', 'read', `${folder}/other/file.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
    expect((await daemon.call('wider', 'read', `${folder}/data/given.txt`)).result).to.equal('given')
    const asked = await daemon.system.get_permissions('wider')
    expect(asked).to.deep.include({ state: 'enabled', waiting: failure.message })
    expect(asked.rights.map(({ right, is_new, effective }) => [right, is_new, effective])).to.deep.equal([
      ['fs_read:${workspace}/data', false, `read ${folder}/data/`],
      ['fs_read:${workspace}/other', true, null],
    ])
    expect((await daemon.info('wider')).notices.join()).to.include('an update (version 1.0.0) waits')
    const result = await daemon.approve('wider')
    expect(result).to.deep.include({ state: 'enabled', problem: null })
    expect((await daemon.call('wider', 'read', `${folder}/other/file.txt`)).result).to.equal('other')
    expect((await served(daemon, 'wider')).cause).to.equal('permissions')
  })

  it('is not asked for by an update that narrows, and does not outlive it', async () => {
    await daemon.call('narrower', 'variable', 'LANG')
    saveAsking(daemon.world, 'narrower', ['fs_read:./data/deep'])
    await successorOf(daemon, 'narrower', 1)
    const { folder } = daemon.world
    expect((await daemon.call('narrower', 'read', `${folder}/data/deep/inner.txt`)).result).to.equal('inner')
    expect((await daemon.refusal('narrower', 'read', `${folder}/data/given.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
    expect((await daemon.system.get_permissions('narrower')).dropped).to.deep.equal([
      'fs_read:${workspace}/data',
      'fs_read:${workspace}/other',
    ])
  })

  it('of a part gives that part, and asks no second time for the rest', async () => {
    const { folder } = daemon.world
    const result = await daemon.approve('part', ['fs_read:./data/deep', 'env:LANG'])
    expect(result.granted).to.deep.equal(['env:LANG', 'fs_read:${workspace}/data/deep'])
    expect((await daemon.call('part', 'read', `${folder}/data/deep/inner.txt`)).result).to.equal('inner')
    expect((await daemon.refusal('part', 'read', `${folder}/data/given.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
    const { rights } = await daemon.system.get_permissions('part')
    expect(rights.map(({ right, approved, refused }) => [right, approved.join(), refused])).to.deep.equal([
      ['env:LANG', 'env:LANG', null],
      ['env:TZ', '', 'whoever approved the plugin did not give it'],
      [
        'fs_read:${workspace}/data',
        'fs_read:${workspace}/data/deep',
        'whoever approved the plugin gave a part of it',
      ],
      ['fs_read:/etc/ssh', '', 'whoever approved the plugin did not give it'],
    ])
    const shown = (await daemon.info('part')).permissions.find(
      ({ declared }) => declared === 'fs_read:/etc/ssh',
    )
    expect(shown).to.deep.include({ effective: null, refused: 'whoever approved the plugin did not give it' })
  })

  it('is refused for what is not asked any more, or never was', async () => {
    const { digest } = await daemon.system.get_permissions('part')
    const old = await refusalOf(daemon.system.approve_plugin('part', '0'.repeat(64)))
    expect(old.code).to.equal('APPROVAL_OUTDATED')
    expect(old.details['digest']).to.equal(digest)
    const wide = await refusalOf(daemon.system.approve_plugin('part', digest, ['fs_read:.']))
    expect(wide.code).to.equal('PARAMS_INVALID')
    expect(wide.message).to.include('"fs_read:${workspace}" of "part": the plugin does not ask for it')
    const garbage = await refusalOf(daemon.system.approve_plugin('part', digest, ['fs_read:../x']))
    expect(garbage.message).to.include('".." segment')
    const other = (await daemon.system.get_permissions('wider')).digest
    expect((await refusalOf(daemon.system.approve_plugin('part', other))).code).to.equal('APPROVAL_OUTDATED')
  })

  it('that is taken back ends the processes and their calls, and blocks the plugin', async () => {
    await daemon.call('revoked', 'variable', 'LANG')
    const pid = await daemon.pidOf('revoked')
    const open = refusalOf(daemon.call('revoked', 'wait', 60_000))
    await until(async () => (await daemon.info('revoked')).instances[0]?.calls_in_flight === 1, 'the call')
    const summary = await daemon.system.revoke_plugin('revoked')
    expect(summary).to.deep.include({ state: 'blocked' })
    expect(isAlive(pid), 'its process is gone when the answer comes').to.equal(false)
    expect((await open).code).to.be.oneOf(['PLUGIN_CRASHED', 'PLUGIN_BLOCKED'])
    expect((await daemon.refusal('revoked', 'variable', 'LANG')).code).to.equal('PLUGIN_BLOCKED')
    for (const act of [daemon.system.reload_plugin('revoked'), daemon.system.rollback_plugin('revoked')]) {
      expect((await refusalOf(act)).code).to.be.oneOf(['GENERATION_REJECTED', 'GENERATION_NOT_FOUND'])
    }
    await daemon.system.reset_plugin('revoked')
    expect((await daemon.info('revoked')).state).to.equal('blocked')
    await daemon.approve('revoked')
    expect((await daemon.call('revoked', 'variable', 'LANG')).success).to.equal(true)
  })

  it('that is taken back while an update comes up stops that, too', async () => {
    await daemon.call('slow', 'variable', 'LANG')
    const state = daemon.world.path('.phantom/plugins/data/slow')
    const code = `import fs from 'node:fs'
export default {
  operations: { version: () => 'two' },
  initialize: async ({ data_dir }) => {
    fs.writeFileSync(data_dir + '/started', String(process.pid))
    await new Promise((resolve) => setTimeout(resolve, 3000))
  },
}
`
    save(daemon.world, 'plugins/slow/index.js', code)
    await until(() => fs.existsSync(path.join(state, 'started')), 'the update to come up')
    await daemon.system.revoke_plugin('slow')
    const { failure } = await rejectedAfter(daemon, 'slow', 1)
    expect(failure.message).to.be.a('string')
    expect((await daemon.info('slow')).state).to.equal('blocked')
    expect((await daemon.info('slow')).instances).to.deep.equal([])
    expect((await daemon.refusal('slow', 'version')).code).to.equal('PLUGIN_BLOCKED')
  })

  it('can be taken back of a plugin that failed, and no reset gets around that', async () => {
    const call = (): Promise<unknown> => daemon.refusal('fails', 'variable', 'LANG')
    await until(async () => (await call(), (await daemon.info('fails')).state === 'failed'), 'it to give up')
    expect((await daemon.system.revoke_plugin('fails')).state).to.equal('blocked')
    expect((await daemon.system.reset_plugin('fails')).state).to.equal('blocked')
    saveCode(daemon.world, 'fails', 'mended')
    await rejectedAfter(daemon, 'fails', 1)
    expect((await daemon.info('fails')).state).to.equal('blocked')
    await daemon.approve('fails')
    expect((await daemon.call('fails', 'version')).result).to.equal('mended')
  })

  it('holds for a generation that comes back, too', async () => {
    const { folder } = daemon.world
    await daemon.call('back', 'variable', 'LANG')
    saveAsking(daemon.world, 'back', ['fs_read:./data'])
    await successorOf(daemon, 'back', 1)
    await daemon.approve('back')
    const error = await refusalOf(daemon.system.rollback_plugin('back', 1))
    expect(error.details).to.include({ gate: 'permissions' })
    expect(error.message).to.include('"fs_read:${workspace}/other"')
    expect((await daemon.refusal('back', 'read', `${folder}/other/file.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
  })

  it('is about capabilities of the runtime as well', async () => {
    await daemon.approve('computes', ['fs_read:/root'])
    const denied = await daemon.refusal('computes', 'compute', 'return 6 * 7')
    expect(denied.message).to.include('runtime:eval').and.include('phantom approve computes')
    await daemon.approve('computes', ['fs_read:/root', 'runtime:eval'])
    expect((await daemon.call('computes', 'compute', 'return 6 * 7')).result).to.equal(42)
  })

  it('of a right that nobody holds starts nothing', async () => {
    const { state, waiting } = await daemon.system.get_permissions('unheld')
    expect(state).to.equal('blocked')
    expect(waiting).to.include('"fs_read:/tmp": every plugin has a /tmp of its own')
    const result = await daemon.approve('unheld')
    expect(result).to.deep.include({ state: 'blocked' })
    expect(result.problem).to.include('every plugin has a /tmp of its own')
  })

  it('stands in the audit log with what was asked and given', async () => {
    const state = daemon.world.path('.phantom/plugins')
    const text = (): string =>
      fs
        .readdirSync(state, { recursive: true, encoding: 'utf8' })
        .filter((name) => /audit.*\.jsonl$/.test(name))
        .map((name) => fs.readFileSync(path.join(state, name), 'utf8'))
        .join('')
    await until(() => text().includes('plugin.revoked'), 'the line of the audit log')
    expect(text()).to.match(
      /"plugin\.approved","plugin_id":"part".*"granted":\["env:LANG","fs_read:\$\{workspace\}\/data\/deep"\]/,
    )
  })
})
