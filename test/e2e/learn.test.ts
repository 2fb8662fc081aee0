import fs from 'node:fs'
import { expect } from 'chai'
import { create_plugin_system, type PluginSystemApi } from '../../src/index.ts'
import type { LearnedPermissions } from '../../src/contract/learned-permissions.ts'
import { isAlive, refusalOf, until, World } from '../helpers/daemon.ts'
import { CommandLine, type Ended } from '../helpers/command-line.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'
import { skipBecause } from '../helpers/skip.ts'

const ID = 'makes_a_report'
const FILES = {
  'settings.json': '{"title":"Sales"}',
  'data/a.csv': '1\n',
  'data/b.csv': '2\n',
  'secret.txt': 'not yours',
}

interface Learned extends LearnedPermissions {
  readonly manifest: string
  readonly error: string | null
  readonly written: boolean
}

describe('phantom learn', function () {
  this.timeout(120_000)
  let world: World
  let manifest: string

  before(async function () {
    const scratch = new World({ files: { 'config/default.yaml': 'permissions: { mode: observe }\n' } })
    try {
      const options = { config_directory: scratch.path('config') }
      await (await create_plugin_system(scratch.plugins, 'development', options)).shutdown()
    } catch (error) {
      if (String(error).includes('tier')) skipBecause.call(this, 'only a namespace may be observed')
      throw error
    } finally {
      scratch.remove()
    }
  })
  beforeEach(() => {
    world = new World({ plugins: ['makes-a-report', 'reaches-out'], files: FILES })
    manifest = world.path('plugins/makes_a_report/plugin.toml')
    process.env['REPORT_SIGNATURE'] = 'Ada'
  })
  afterEach(() => {
    delete process.env['REPORT_SIGNATURE']
    world.remove()
  })

  const phantom = async (args: readonly string[]): Promise<Ended> =>
    await new CommandLine(world.folder).run(args)

  async function learn(...more: string[]): Promise<Learned> {
    const run = await phantom(['learn', ID, '--plugins', world.plugins, '--json', ...more])
    return JSON.parse(run.stdout) as Learned
  }

  it('learns what tasks reach for on threads, and nothing of how those start', async () => {
    world.addPlugin('uses-threads')
    const file = world.path('plugins/uses_threads/plugin.toml')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/^permissions = .*$/m, 'permissions = []'))
    world.write('given/given.txt', 'given')
    const input = JSON.stringify({
      items: [{ way: 'read_granted', given: world.path('given/given.txt') }],
      export: 'reach',
    })
    const args = [
      'learn',
      'uses_threads',
      '--plugins',
      world.plugins,
      '--json',
      '--',
      'run',
      '--input',
      input,
    ]
    const learned = JSON.parse((await phantom(args)).stdout) as Learned
    expect(learned.permissions).to.deep.equal(['fs_read:./given/given.txt'])
    expect(JSON.stringify(learned)).not.to.match(/thread is granted|inspector|phantom-runner/)
  })

  it('prints the manifest that would do, and writes nothing unasked', async () => {
    const before = fs.readFileSync(manifest, 'utf8')
    const run = await phantom(['learn', ID, '--plugins', world.plugins, '--', 'report'])
    expect(run.stdout).to.contain(
      'permissions = ["fs_read:./data", "fs_read:./settings.json", "fs_write:./out/reports", "env:REPORT_SIGNATURE"]',
    )
    expect(run.stdout).to.contain('asked for and not used: fs_read:./unused')
    expect(run.stdout).to.contain('settings.local.json" was looked for and is not there')
    expect(run.stdout)
      .to.contain('The operation failed')
      .and.to.match(/EROFS|EACCES|ENOENT/)
    expect(run.stdout).to.contain('Nothing was written')
    expect(run.code).to.equal(1)
    expect(fs.readFileSync(manifest, 'utf8')).to.equal(before)
    expect(fs.existsSync(world.path('out')), 'nothing was written beside the grants').to.equal(false)
  })

  it('writes a manifest that suffices under enforcement, and keeps what stood there', async () => {
    expect((await learn('--write', '--', 'report')).written).to.equal(true)
    const text = fs.readFileSync(manifest, 'utf8')
    expect(text)
      .to.contain('# Asks for less than it needs.')
      .and.to.contain('"fs_read:./unused", # nobody knows why')
    const system = await enforcing()
    try {
      const { success, result, warnings } = await system.execute_plugin(ID, 'report')
      expect({ success, result }).to.deep.equal({ success: true, result: 'Sales Ada: 1,2' })
      // It looks for settings that are not there, which no grant can give.
      expect(warnings.filter((warning) => !warning.includes('settings.local.json'))).to.deep.equal([])
      expect(fs.readFileSync(world.path('out/reports/report.txt'), 'utf8')).to.equal('Sales Ada: 1,2')
    } finally {
      await system.shutdown()
    }
    // A root daemon's processes have a uid of their own each: the folder is the one's that made it.
    fs.rmSync(world.path('out'), { recursive: true })
    const again = await learn('--', 'report')
    expect(again.error).to.equal(null)
    expect(again.to_add).to.deep.equal({ permissions: [], runtime: [] })
  })

  it('learns what the runtime itself refuses, and that suffices, too', async () => {
    const { error, runtime } = await learn('--write', '--', 'evaluates')
    expect(error).to.contain('eval')
    expect(runtime).to.deep.equal(['eval'])
    const system = await enforcing()
    try {
      expect((await system.execute_plugin(ID, 'evaluates')).result).to.equal(42)
    } finally {
      await system.shutdown()
    }
  })

  it('learns of it as well where the plugin catches the refusal and goes on', async () => {
    const input = (way: string): string[] => ['--input', JSON.stringify({ way, input: '1' })]
    const learnt = async (way: string): Promise<Learned> => {
      const args = [
        'learn',
        'reaches_out',
        '--plugins',
        world.plugins,
        '--json',
        '--',
        'caught',
        ...input(way),
      ]
      return JSON.parse((await phantom(args)).stdout) as Learned
    }
    const found = []
    for (const way of ['evaluate', 'sqlite', 'ffi']) {
      const { error, runtime } = await learnt(way)
      found.push([error, runtime])
    }
    expect(found).to.deep.equal([
      [null, ['eval']],
      [null, ['sqlite']],
      [null, ['ffi']],
    ])
  })

  it('learns the same of a WebAssembly plugin, and nothing of what it merely holds', async () => {
    const id = 'granted_wasm'
    const asked = '[permissions]\npermissions = ["fs_read:./data", "fs_read:./settings.json"]\n'
    const files = wasmPlugin(id, fs.readFileSync('test/conformance/plugins/c/plugin.wasm'), asked)
    for (const [name, content] of Object.entries(files)) world.write(name, content)
    const input = ['--input', '{"path":"secret.txt"}']
    const args = ['learn', id, '--plugins', world.plugins, '--json', '--', 'read_file', ...input]
    const run = await phantom(args)
    const learned = JSON.parse(run.stdout) as Learned
    expect(learned.error).to.equal(null)
    expect(learned.permissions).to.deep.equal(['fs_read:./secret.txt'])
  })

  it("shows nothing of another daemon's state in its workspace, and asks for none of it", async () => {
    world.write('.phantom/plugins/logs/daemon.log', 'SECRET')
    const input = ['--input', '"./.phantom/plugins/logs/daemon.log"']
    const args = ['learn', 'reaches_out', '--plugins', world.plugins, '--json', '--', 'read', ...input]
    const learned = JSON.parse((await phantom(args)).stdout) as Learned
    expect(learned.error).to.include('ENOENT')
    expect(JSON.stringify(learned.permissions)).not.to.include('.phantom')
    expect(learned.notes).to.deep.equal([
      `reading "${world.path('.phantom/plugins/logs/daemon.log')}" is granted to no plugin`,
    ])
  })

  it('leaves a daemon that runs already alone, and no process and no state behind', async () => {
    const system = await enforcing()
    try {
      const { pid } = await system.get_status()
      await learn('--', 'report')
      const status = await system.get_status()
      expect(status).to.include({ pid, permissions_mode: 'enforce' })
      expect((await refusalOf(system.execute_plugin(ID, 'report'))).code).to.equal('PERMISSION_DENIED')
      const { mode, observed } = await system.get_learned_permissions(ID)
      expect({ mode, observed }).to.deep.equal({ mode: 'enforce', observed: [] })
    } finally {
      await system.shutdown()
    }
  })

  it('takes input, a workspace and a timeout for the operation, and says what it does not know', async () => {
    fs.mkdirSync(world.path('other'))
    fs.writeFileSync(world.path('other/x.txt'), 'x')
    const tail = ['read', '--input', '"x.txt"', '--workspace', world.path('other'), '--timeout', '9000']
    const args = ['learn', 'reaches_out', '--plugins', world.plugins, '--json', '--', ...tail]
    const run = await phantom(args)
    const learned = JSON.parse(run.stdout) as Learned
    expect(learned.permissions).to.deep.equal(['fs_read:./x.txt'])
    const wrong = await phantom(['learn', ID, '--plugins', world.plugins, '--', 'report', '--inptu', '1'])
    expect(wrong.code).to.equal(2)
    const none = await phantom(['learn', 'makes_a_reprot', '--plugins', world.plugins, '--', 'report'])
    expect(none.code).to.equal(3)
    const elsewhere = await phantom([
      'learn',
      ID,
      '--plugins',
      world.plugins,
      '--environment',
      'production',
      '--',
      'report',
    ])
    expect(elsewhere.code).to.equal(2)
    expect(elsewhere.stderr).to.contain('only "development" may observe')
  })

  describe('by a daemon with permissions.mode: observe', () => {
    let system: PluginSystemApi
    let pid: number

    beforeEach(async () => {
      world.write('config/default.yaml', 'permissions: { mode: observe }\n')
      const options = { workspace: world.folder, config_directory: world.path('config') }
      system = await create_plugin_system(world.plugins, 'development', options)
      pid = (await system.get_status()).pid
    })
    afterEach(async () => {
      await system.shutdown()
      await until(() => !isAlive(pid), 'the end of the daemon')
    })

    it('is loud: in status, info, health, the log of the daemon and of each plugin', async () => {
      await system.execute_plugin(ID, 'report')
      expect((await system.get_status()).permissions_mode).to.equal('observe')
      const info = await system.get_plugin_info(ID)
      expect(info.notices.join()).to.contain('permissions are observed, not enforced')
      for (const { mechanism } of info.permissions) expect(mechanism ?? '').to.not.contain('--permission')
      const health = await system.get_plugin_health(ID)
      expect(health).to.deep.include({
        status: 'degraded',
        reasons: ['its permissions are observed, not enforced'],
      })
      const lines = await system.get_plugin_logs({ plugin_id: ID })
      expect(lines.filter(({ message }) => message.includes('observed, not enforced'))).to.have.length(1)
      const log = fs.readFileSync(`${(await system.get_status()).state_directory}/logs/daemon.log`, 'utf8')
      expect(log).to.contain('permissions are observed, not enforced')
    })

    it('keeps closed what a plugin was not granted: files outside, writing, the network, programs', async () => {
      const call = async (operation: string, input: unknown) =>
        await system.execute_plugin('reaches_out', operation, input)
      expect((await call('read', 'secret.txt')).result, 'its workspace is shown').to.equal('not yours')
      for (const [operation, input] of [
        ['read', '/etc/hostname'],
        ['write', 'secret.txt'],
        ['remove', 'secret.txt'],
        ['make', 'made'],
        ['fetch', 'https://api.example.org/'],
        ['connect', { host: '127.0.0.1', port: 9 }],
        ['program', 'ls'],
        ['sqlite', null],
      ] as const) {
        const { success, error } = await call(operation, input)
        expect(success, `${operation}: ${error}`).to.equal(false)
      }
      expect(fs.readFileSync(world.path('secret.txt'), 'utf8')).to.equal('not yours')
      const { permissions, notes } = await system.get_learned_permissions('reaches_out')
      expect(permissions).to.include.members(['fs_read:/etc/hostname', 'process', 'network:api.example.org'])
      expect(permissions).to.include('fs_write:./secret.txt')
      expect(notes).to.be.an('array')
    })

    it('hides the state of the daemon', async () => {
      const { state_directory: state } = await system.get_status()
      const result = await system.execute_plugin('reaches_out', 'list', state)
      expect(result.success ? result.result : []).to.not.include('state.db')
    })
  })

  it('observes in development alone', async () => {
    world.write('config/default.yaml', 'permissions: { mode: observe }\n')
    for (const environment of ['production', 'test']) {
      const options = { config_directory: world.path('config') }
      const error = await refusalOf(create_plugin_system(world.plugins, environment, options))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.contain(
        `Cannot use permissions.mode "observe" in the environment "${environment}"`,
      )
    }
  })

  async function enforcing(): Promise<PluginSystemApi> {
    return await create_plugin_system(world.plugins, 'development', { workspace: world.folder })
  }
})
