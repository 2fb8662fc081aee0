import fs from 'node:fs'
import { expect } from 'chai'
import type { PluginSystemApi } from '../../src/index.ts'
import { addAsking } from '../helpers/asking-plugin.ts'
import { isAlive, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { save, successorOf } from '../helpers/reloads.ts'

const CONFIG = 'log: { level: info }\n'

describe("the administrator's policy", function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: CONFIG,
      environment: { LANG: 'C.UTF-8' },
      files: { 'data/given.txt': 'given', 'data/deep/inner.txt': 'inner', 'plugins/data/x.txt': 'x' },
      prepare: (world) => {
        addAsking(world, 'reads', ['fs_read:./data', 'env:LANG'])
        addAsking(world, 'blocked', [])
        addAsking(world, 'updated', ['fs_read:./data'])
        addAsking(world, 'absolute', [`fs_read:${world.path('data')}`])
        addAsking(world, 'relative', ['fs_read:./data'])
        addAsking(world, 'computes', [], '[runtime]\neval = true\n')
      },
    })
  })
  after(() => daemon.stop())
  afterEach(async () => {
    policy('')
    await until(async () => (await rightsOf('reads')).every(({ refused }) => refused === null), 'no policy')
  })

  function policy(text: string): void {
    save(daemon.world, 'config/policy.yaml', text)
  }
  async function rightsOf(id: string) {
    return (await daemon.system.get_permissions(id)).rights
  }

  it('narrows a plugin while it runs: the process that held more ends, the next one holds less', async () => {
    const { folder } = daemon.world
    expect((await daemon.call('reads', 'read', `${folder}/data/given.txt`)).result).to.equal('given')
    const pid = await daemon.pidOf('reads')
    policy('plugins:\n  reads:\n    only: { fs_read: [./data/deep] }\n    refuse: [env:LANG]\n')
    await until(() => !isAlive(pid), 'the end of the process that held more')
    expect((await daemon.call('reads', 'read', `${folder}/data/deep/inner.txt`)).result).to.equal('inner')
    expect((await daemon.refusal('reads', 'read', `${folder}/data/given.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
    const denied = await daemon.refusal('reads', 'read', `${folder}/data/given.txt`)
    expect(denied.message).to.include("the administrator's policy leaves a part of it (policy.yaml:3:22)")
    const rights = await rightsOf('reads')
    expect(
      rights.map(({ right, approved, effective, refused }) => [right, approved.join(), effective, refused]),
    ).to.deep.equal([
      ['env:LANG', 'env:LANG', null, "the administrator's policy refuses it (policy.yaml:4:14)"],
      [
        'fs_read:${workspace}/data',
        'fs_read:${workspace}/data',
        `read ${folder}/data/deep/`,
        "the administrator's policy leaves a part of it (policy.yaml:3:22)",
      ],
    ])
    expect((await daemon.system.get_permissions('reads')).state).to.equal('enabled')
  })

  it('that changes while an update comes up holds for the update, which is not lost', async () => {
    const { folder } = daemon.world
    await daemon.call('updated', 'variable', 'LANG')
    const started = daemon.world.path('.phantom/plugins/data/updated/started')
    save(
      daemon.world,
      'plugins/updated/index.js',
      `import fs from 'node:fs'
export default {
  operations: { read: (path) => 'two: ' + fs.readFileSync(path, 'utf8') },
  initialize: async ({ data_dir }) => {
    fs.writeFileSync(data_dir + '/started', '')
    await new Promise((resolve) => setTimeout(resolve, 2500))
  },
}
`,
    )
    await until(() => fs.existsSync(started), 'the update to come up')
    policy('plugins: { updated: { only: { fs_read: [./data/deep] } } }')
    await successorOf(daemon, 'updated', 1)
    const inner = `${folder}/data/deep/inner.txt`
    await until(
      async () => (await daemon.call('updated', 'read', inner)).result === 'two: inner',
      'the update',
    )
    expect((await daemon.refusal('updated', 'read', `${folder}/data/given.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
  })

  it('keeps a place closed however a manifest spells it', async () => {
    const { folder } = daemon.world
    policy(`everywhere:\n  refuse: ["fs_read:${folder}/data/deep"]\n`)
    await until(
      async () => (await rightsOf('absolute'))[0]?.effective === null,
      'the absolute one to lose it',
    )
    for (const id of ['absolute', 'relative']) {
      await until(async () => (await rightsOf(id))[0]?.effective === null, `${id} to lose it`)
      const refused = await daemon.refusal(id, 'read', `${folder}/data/deep/inner.txt`)
      expect(refused.code, id).to.equal('PERMISSION_DENIED')
      expect((await rightsOf(id))[0]?.refused, id).to.include('policy.yaml:2:12')
    }
  })

  it('blocks a plugin, and lets it go again', async () => {
    await daemon.call('blocked', 'variable', 'LANG')
    const pid = await daemon.pidOf('blocked')
    policy('plugins: { blocked: { block: true } }')
    await until(() => !isAlive(pid), 'the end of its process')
    const error = await daemon.refusal('blocked', 'variable', 'LANG')
    expect(error.code).to.equal('PLUGIN_BLOCKED')
    expect(error.message).to.include("the administrator's policy blocks it (policy.yaml:1:30)")
    const { digest } = await daemon.system.get_permissions('blocked')
    expect((await daemon.system.approve_plugin('blocked', digest)).problem).to.include('policy blocks it')
    policy('')
    await until(async () => (await daemon.info('blocked')).state === 'enabled', 'it to be let go')
    expect((await daemon.call('blocked', 'variable', 'LANG')).success).to.equal(true)
  })

  it('takes capabilities of the runtime away as well', async () => {
    expect((await daemon.call('computes', 'compute', 'return 1')).result).to.equal(1)
    policy('everywhere: { refuse: ["runtime:eval"] }')
    await until(async () => (await rightsOf('computes'))[0]?.effective === null, 'eval to be gone')
    expect((await daemon.refusal('computes', 'compute', 'return 1')).code).to.equal('PERMISSION_DENIED')
  })

  it('that breaks while the daemon runs changes nothing, and a reload by hand says what is wrong', async () => {
    const { folder } = daemon.world
    policy('plugins: { reads: { refuse: ["fs_read:./data"] } }')
    await until(async () => (await rightsOf('reads')).some(({ refused }) => refused !== null), 'the policy')
    policy('plugins: { reads: { refuze: [] } }')
    const error = await refusalOf(daemon.system.reload_config())
    expect(error.code).to.equal('CONFIG_INVALID')
    const wrong = 'policy.yaml:1:21: "refuze" is no key of "plugins.reads". Did you mean "refuse"?'
    expect(error.message).to.include(wrong)
    expect((await daemon.system.get_status()).policy_problem).to.include(wrong)
    const log = (): string => fs.readFileSync(daemon.world.path('.phantom/plugins/audit.jsonl'), 'utf8')
    await until(
      () => /"policy\.refused".*"outcome":"refused".*refuze/.test(log()),
      'the line of the audit log',
    )
    expect((await daemon.refusal('reads', 'read', `${folder}/data/given.txt`)).code).to.equal(
      'PERMISSION_DENIED',
    )
    policy('')
    await until(async () => (await daemon.system.get_status()).policy_problem === null, 'the mended policy')
  })
})

describe("an administrator's policy that is broken at the start", function () {
  this.timeout(60_000)
  let world: World
  let system: PluginSystemApi

  before(async () => {
    world = new World({ config: CONFIG, files: { 'config/policy.yaml': 'everywhere:\n  refuse: process\n' } })
    addAsking(world, 'asks', ['env:LANG'])
    addAsking(world, 'nothing', [])
    system = await world.attach()
  })
  after(async () => {
    await system.shutdown()
    world.remove()
  })

  it('lets nothing run but what comes with the package, and says why; mended, it lets the rest go', async () => {
    for (const id of ['asks', 'nothing']) {
      const error = await refusalOf(system.execute_plugin(id, 'variable', 'LANG'))
      expect(error.code).to.equal('PLUGIN_BLOCKED')
      expect(error.message).to.match(
        /nothing runs but built-in plugins: .*\n.*policy\.yaml:2:11: "everywhere\.refuse" is "process", expected a list/,
      )
    }
    const builtin = (await system.list_plugins()).find((plugin) => plugin.builtin)
    expect(builtin?.state).to.equal('enabled')
    const { digest } = await system.get_permissions('asks')
    expect((await system.approve_plugin('asks', digest)).state, 'no approval gets around it').to.equal(
      'blocked',
    )
    save(world, 'config/policy.yaml', 'everywhere:\n  refuse: [process]\n')
    await until(
      async () => (await system.get_plugin_info('nothing')).state === 'enabled',
      'the plugins to be let go',
    )
    expect((await system.execute_plugin('nothing', 'variable', 'LANG')).success).to.equal(true)
  })
})
