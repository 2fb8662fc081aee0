import { expect } from 'chai'
import type {
  ConfigValue,
  DaemonStatus,
  GenerationInfo,
  HistoryEntry,
  Incident,
  PluginConfigUpdate,
  PluginHealth,
  PluginMetrics,
  PluginSummary,
  ReloadResult,
  SystemMetrics,
} from '../../src/index.ts'
import { CommandLine, type RunningCommand } from '../helpers/command-line.ts'
import { World } from '../helpers/daemon.ts'

const PLUGINS = ['configurable', 'not-configurable', 'crash-on-call', 'broken-syntax', 'exit-zero']

describe('phantom, with a daemon that serves', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine
  let daemon: RunningCommand

  before(async () => {
    world = new World({
      plugins: PLUGINS,
      files: { 'config/default.yaml': '# ours\nlog: { level: error }\n' },
    })
    phantom = new CommandLine(world.folder)
    daemon = await phantom.serve('--environment', 'test', '--config', 'config')
  })
  after(async () => {
    await phantom.stop()
    world.remove()
  })
  beforeEach(async () => void (await phantom.said('run', 'configurable', 'greet')))

  it('reload, generations and rollback show which code serves', async () => {
    await phantom.said('run', 'not_configurable', 'greet')
    expect(await phantom.said('reload', 'not_configurable')).to.match(
      /^not_configurable  generation 2 serves, after /,
    )
    const result = await phantom.json<ReloadResult>(['reload', 'not_configurable'])
    expect(result).to.include({ plugin_id: 'not_configurable', changed: true, generation: 3 })
    expect(await phantom.said('rollback', 'not_configurable', '1')).to.match(
      /^not_configurable  generation 4 serves, after /,
    )
    const generations = await phantom.json<GenerationInfo[]>(['generations', 'not_configurable'])
    expect(generations.map(({ generation, cause }) => [generation, cause])).to.deep.equal([
      [4, 'rollback'],
      [3, 'call'],
      [2, 'call'],
      [1, 'start'],
    ])
    expect(await phantom.said('generations', 'not_configurable')).to.match(
      /^4 +current +1\.0\.0 +rollback .* kept$/m,
    )
    const none = await phantom.refused('rollback', 'not_configurable', '99')
    expect([none.codes, none.error.code]).to.deep.equal([[3, 3], 'GENERATION_NOT_FOUND'])
    const rejected = await phantom.refused('reload', 'broken_syntax')
    expect([rejected.codes, rejected.error.code]).to.deep.equal([[6, 6], 'GENERATION_REJECTED'])
    const [newest] = await phantom.json<GenerationInfo[]>(['generations', 'broken_syntax'])
    expect(newest).to.deep.include({ state: 'rejected' })
    expect(await phantom.said('generations', 'broken_syntax')).to.match(/ {2}at (initialize|spawn): /)
  })

  it('unload and load take a plugin out and back, and reset leads one out of "failed"', async () => {
    expect(await phantom.said('unload', 'exit_zero')).to.equal('exit_zero  unloaded\n')
    const gone = await phantom.refused('run', 'exit_zero', 'fine')
    expect([gone.codes, gone.error.code]).to.deep.equal([[3, 3], 'PLUGIN_NOT_FOUND'])
    expect(gone.error.message).to.contain('phantom load exit_zero')
    expect(await phantom.said('load', 'exit_zero')).to.equal('exit_zero 1.0.0  enabled\n')
    expect(await phantom.json(['unload', 'exit_zero'])).to.deep.equal({
      plugin_id: 'exit_zero',
      unloaded: true,
    })
    expect(await phantom.json<PluginSummary>(['load', 'exit_zero'])).to.include({
      id: 'exit_zero',
      state: 'enabled',
    })
    expect((await phantom.refused('load', 'nowhere')).codes).to.deep.equal([3, 3])
    expect((await phantom.run(['run', 'broken_syntax', 'fine'])).code).to.equal(6)
    expect(await phantom.said('why', 'broken_syntax')).to.match(/^broken_syntax  failed\n/)
    expect(await phantom.said('reset', 'broken_syntax')).to.equal('broken_syntax 1.0.0  enabled\n')
    expect(await phantom.json<PluginSummary>(['reset', 'exit_zero'])).to.include({ state: 'enabled' })
  })

  it('why, history and health tell what went wrong', async () => {
    expect((await phantom.refused('run', 'crash_on_call', 'crash')).codes).to.deep.equal([6, 6])
    const words = await phantom.said('why', 'crash_on_call')
    expect(words)
      .to.match(/^crash_on_call  enabled\n/)
      .and.to.contain('process ended (crash)')
    expect(words)
      .to.contain('crashed as asked')
      .and.to.contain('max_memory_mb 256')
      .and.to.contain('last log lines')
    const why = await phantom.json<{ incidents: Incident[] }>(['why', 'crash_on_call'])
    expect(why.incidents).to.have.length(2)
    expect(why.incidents[0]).to.include({
      kind: 'exit',
      class: 'crash',
      generation: 1,
      workspace: world.folder,
    })
    const table = await phantom.said('history', 'crash_on_call')
    expect(table)
      .to.match(/crash_on_call +crash +rejected/)
      .and.to.contain('PLUGIN_CRASHED: Cannot finish')
    const entries = await phantom.json<HistoryEntry[]>(['history', '--outcome', 'rejected', '-n', '1'])
    expect(entries).to.have.length(1)
    expect(entries[0]).to.include({ plugin_id: 'crash_on_call', code: 'PLUGIN_CRASHED' })
    expect(await phantom.said('health', 'configurable')).to.match(/^status +healthy$/m)
    const health = await phantom.json<PluginHealth>(['health', 'configurable'])
    expect(health).to.include({ plugin_id: 'configurable', status: 'healthy', restarts: 0 })
    const sick = await phantom.run(['health', 'crash_on_call'])
    expect(sick.stdout).to.match(/^last error +.*PLUGIN_CRASHED in crash/m)
    const all = await phantom.run(['health'])
    expect(all.stdout)
      .to.match(/^PLUGIN +STATUS/)
      .and.to.match(/^configurable +healthy/m)
    expect((await phantom.refused('health', 'nowhere')).codes).to.deep.equal([3, 3])
    expect((await phantom.refused('why', 'nowhere')).codes).to.deep.equal([3, 3])
  })

  it('metrics and status show the figures of the whole', async () => {
    expect(await phantom.said('metrics'))
      .to.match(/^calls +\d+: /m)
      .and.to.match(/^configurable +\d/m)
    const metrics = await phantom.json<SystemMetrics>(['metrics'])
    expect(metrics.calls.total).to.be.above(5)
    expect(metrics.plugins.map(({ plugin_id: id }) => id)).to.include.members(['configurable', 'exit_zero'])
    expect(await phantom.said('status')).to.match(/^Running\n[\s\S]*^ +configurable +1 +1 +\d/m)
    const status = await phantom.json<DaemonStatus & { running: PluginMetrics[] }>(['status'])
    expect(status.private).to.be.false
    expect(status.running.map(({ plugin_id: id }) => id)).to.include('configurable')
  })

  it('--watch shows the figures again and again until Ctrl-C', async () => {
    const watching = phantom.start('metrics', '--watch', '--json')
    while (watching.text.split('\n').length < 3) {
      expect(watching.child.exitCode, watching.text).to.equal(null)
      await phantom.said('status')
    }
    watching.child.kill('SIGINT')
    expect(await watching.exitCode).to.equal(130)
    const [first] = watching.text.split('\n')
    expect((JSON.parse(first!) as SystemMetrics).plugins).to.not.be.empty
  })

  it('passes SIGHUP on to the daemon', async () => {
    world.write('config/default.yaml', 'log: { level: info }\n')
    daemon.child.kill('SIGHUP')
    while (
      (await phantom.json<ConfigValue[]>(['config', 'explain'])).find(({ key }) => key === 'log.level')
        ?.value !== 'info'
    ) {
      expect(daemon.child.exitCode, daemon.text).to.equal(null)
    }
  })
})

describe('phantom, on a private daemon', function () {
  this.timeout(120_000)
  let world: World
  let phantom: CommandLine

  before(() => {
    world = new World({ plugins: ['configurable', 'crash-on-call'] })
    phantom = new CommandLine(world.folder)
  })
  after(() => world.remove())

  it('configures, and remembers calls, incidents and revisions from one to the next', async () => {
    const update = await phantom.json<PluginConfigUpdate>(['config', 'set', 'configurable', 'greeting=Hej'])
    expect(update).to.include({ revision: 1, applied: 'none' })
    expect((await phantom.run(['run', 'configurable', 'greet', '--input', '"Ada"'])).stdout).to.equal(
      '"Hej Ada"\n',
    )
    expect((await phantom.run(['run', 'crash_on_call', 'crash'])).code).to.equal(6)
    const [last, first] = await phantom.json<HistoryEntry[]>(['history'])
    expect([last?.outcome, first?.outcome]).to.deep.equal(['rejected', 'succeeded'])
    expect((await phantom.run(['why', 'crash_on_call'])).stdout).to.contain('crashed as asked')
    expect((await phantom.run(['config', 'history', 'configurable'])).stdout).to.match(/^1 .* update$/m)
    expect((await phantom.run(['generations', 'configurable'])).stdout).to.match(/^1 +current/m)
    expect((await phantom.run(['config', 'explain'])).stdout).to.match(/^log\.level +"debug"/m)
  })

  it('needs a daemon that serves for what only that can do', async () => {
    const commands = [
      ...['reload', 'rollback', 'load', 'unload', 'reset'].map((name) => [name, 'configurable']),
      ['health'],
      ['metrics'],
      ['status'],
      ['config', 'reload'],
    ]
    for (const command of commands) {
      const { code, stderr } = await phantom.run(command)
      expect(code, command.join(' ')).to.equal(7)
      expect(stderr).to.contain('phantom serve')
    }
    expect(await phantom.json(['health'], 7)).to.have.nested.property('error.code', 'DAEMON_UNREACHABLE')
  })
})
