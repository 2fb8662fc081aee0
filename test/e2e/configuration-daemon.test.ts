import fs from 'node:fs'
import { expect } from 'chai'
import { connect, create_plugin_system, type ConfigValue, type PluginSystemApi } from '../../src/index.ts'
import { CommandLine, type RunningCommand } from '../helpers/command-line.ts'
import { outcomeOf, refusalOf, until, World } from '../helpers/daemon.ts'

describe("The daemon's own configuration", function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine
  let daemon: RunningCommand
  let system: PluginSystemApi

  afterEach(async () => {
    await system?.shutdown()
    await phantom.stop()
    world.remove()
  })

  /** By `phantom serve`, and an application that is attached to it. */
  async function serve(files: Readonly<Record<string, string>>, ...args: string[]): Promise<void> {
    world = new World({ plugins: ['echoes'], files })
    phantom = new CommandLine(world.folder, { PHANTOM_EXECUTION_MAX_CALLS: '1000' })
    daemon = await phantom.serve('--environment', 'test', '--config', 'config', ...args)
    system = await create_plugin_system(world.plugins, 'test', { workspace: world.folder })
  }

  async function valueOf(key: string): Promise<ConfigValue> {
    return (await system.explain_config()).find((value) => value.key === key)!
  }

  function log(): string {
    const file = world.path('.phantom/plugins/logs/daemon.log')
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
  }

  async function untilLogged(...words: string[]): Promise<void> {
    const isThere = (): boolean =>
      log()
        .split('\n')
        .some((line) => words.every((word) => line.includes(word)))
    await until(isThere, `a line with ${words.join(', ')} in the daemon's log`)
  }

  it('says of each value which of six places it comes from', async () => {
    const files = {
      'config/default.yaml': 'execution:\n  cancel_grace_ms: 700\n  max_calls: 9\n',
      'config/test.yaml': 'execution: { start_timeout_ms: 20000 }\n',
      'here.yaml': '# of this machine\nlimits:\n  max_clients: 99\n',
    }
    await serve(files, '--config-file', 'here.yaml')
    const values = new Map((await system.explain_config()).map((value) => [value.key, value]))
    const found = (key: string): unknown[] => [values.get(key)?.value, values.get(key)?.origin]
    expect(found('execution.liveness_interval_ms')).to.deep.equal([15_000, 'package default'])
    expect(found('restart.backoff_initial_ms')[1]).to.match(/config\/test\.yaml:\d+:\d+$/)
    expect(found('execution.cancel_grace_ms')).to.deep.equal([
      700,
      `${world.path('config/default.yaml')}:2:20`,
    ])
    expect(found('execution.start_timeout_ms')).to.deep.equal([
      20_000,
      `${world.path('config/test.yaml')}:1:32`,
    ])
    expect(found('limits.max_clients')).to.deep.equal([99, `${world.path('here.yaml')}:3:16`])
    expect(found('execution.max_calls')).to.deep.equal([1000, 'PHANTOM_EXECUTION_MAX_CALLS'])
    expect([values.get('log.level')?.reloads, values.get('security.required_tier')?.reloads]).to.deep.equal([
      true,
      false,
    ])
  })

  it('is read anew at SIGHUP, acts at once, and what needs a restart is named', async () => {
    const quiet = 'log: { level: warn }\nreload: { watch: false }\n'
    await serve({ 'config/default.yaml': quiet, 'config/test.yaml': '' })
    expect(log()).to.not.contain('daemon listens')
    const { socket } = await system.get_status()
    expect((await refusalOf(connect(socket))).code).to.equal('WORKSPACE_DENIED')
    const louder =
      'log: { level: info }\nreload: { watch: false }\nlimits: { max_payload_mb: 8, max_clients: 2 }\n'
    world.write('config/default.yaml', `${louder}workspace: { roots: [${JSON.stringify(process.cwd())}] }\n`)
    daemon.child.kill('SIGHUP')
    await untilLogged('waits for a restart', '"limits.max_payload_mb"')
    expect(await valueOf('log.level')).to.deep.include({
      value: 'info',
      origin: `${world.path('config/default.yaml')}:1:15`,
    })
    expect(await valueOf('limits.max_payload_mb')).to.deep.include({ value: 256, origin: 'package default' })
    await system.execute_plugin('echoes', 'echo')
    await system.reload_plugin('echoes')
    await untilLogged('"info"', 'a plugin was reloaded')
    const other = await connect(socket)
    expect((await refusalOf(connect(socket))).code, 'one too many').to.equal('DAEMON_LOST')
    await other.shutdown()
  })

  it('stays as it is when a file is broken, and the log says where', async () => {
    await serve({ 'config/default.yaml': 'execution:\n  cancel_grace_ms: 700\nreload: { watch: false }\n' })
    const before = await system.explain_config()
    world.write('config/default.yaml', 'execution:\n  cancel_grace_ms: soon\n  max_cals: 1\n')
    daemon.child.kill('SIGHUP')
    await untilLogged('default.yaml:2:20', 'default.yaml:3:3', 'max_calls', 'the one before holds')
    expect(await system.explain_config()).to.deep.equal(before)
    const records = async () => await system.get_audit_log({ action: 'config.refused' })
    await until(async () => (await records()).length === 1, 'the record of the audit log')
    expect((await records())[0]).to.include({ outcome: 'refused', actor: null })
    const error = await refusalOf(system.reload_config())
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.contain('default.yaml:2:20').and.to.contain('"soon"')
    expect((await system.execute_plugin('echoes', 'echo', 'on')).result).to.equal('on')
  })

  it('acts by itself when a file changes, and a mended one after a broken one', async () => {
    const named = 'here.yaml'
    await serve(
      { 'config/default.yaml': '', [named]: 'execution: { max_calls_share: 1 }\n' },
      '--config-file',
      named,
    )
    const slow = system.execute_plugin('echoes', 'wait', 2_000)
    await until(async () => (await system.get_status()).calls.in_flight === 1, 'the call to run')
    world.write(named, 'execution: { max_calls_share: 0.001 }\n')
    await untilLogged('here.yaml:1:31', 'the one before holds')
    // The least share of the 1000 calls that the variable allows is ten.
    world.write(named, 'execution: { max_calls_share: 0.01 }\n')
    await until(async () => (await valueOf('execution.max_calls_share')).value === 0.01, 'the new share')
    const calls = Array.from({ length: 12 }, () => outcomeOf(system.execute_plugin('echoes', 'echo')))
    expect((await Promise.all(calls)).filter((outcome) => outcome === 'QUEUE_FULL')).to.have.length(3)
    expect((await slow).success).to.be.true
    fs.rmSync(world.path(named))
    await untilLogged('here.yaml', 'there is none')
  })
})

describe('A daemon that is to be configured by a file that is not there', () => {
  it('does not start, and names it', async () => {
    const world = new World()
    const phantom = new CommandLine(world.folder)
    try {
      const served = await phantom.run(['serve', '--config-file', 'nowhere.yaml'])
      expect(served.code).to.equal(64)
      expect(served.stderr).to.contain(world.path('nowhere.yaml'))
      const options = { workspace: world.folder, config_file: world.path('nowhere.yaml') }
      const error = await refusalOf(create_plugin_system(world.plugins, 'test', options))
      expect(error).to.deep.include({ code: 'CONFIG_INVALID' })
      expect(error.message).to.contain(world.path('nowhere.yaml'))
    } finally {
      world.remove()
    }
  })
})
