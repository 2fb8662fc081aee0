import fs from 'node:fs'
import { expect } from 'chai'
import { CommandLine } from '../helpers/command-line.ts'
import { isAlive, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

/** What is there at once, ticks of the kernel, and looks that came late beside other tests. */
const SLACK_MS = 300
const PROGRAMS = '[permissions]\npermissions = ["process"]\n'
const LIMITED = '[resource_limits]\nmax_cpu_percent = 20\n'

describe('max_cpu_percent', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  afterEach(async () => {
    await daemon?.stop()
    daemon = null
  })

  async function start(
    more: string,
    options: { config?: string; environment?: Record<string, string> } = {},
  ): Promise<TestDaemon> {
    daemon = await TestDaemon.start({
      plugins: ['spinner'],
      prepare: (world) => {
        fs.appendFileSync(world.path('plugins/spinner/plugin.toml'), `\n${more}`)
        world.addManifest('free', PROGRAMS)
      },
      ...options,
    })
    return daemon
  }
  const requireHold = async (context: Mocha.Context, held: TestDaemon): Promise<void> => {
    const { checks } = await held.system.get_doctor_report()
    const check = checks.find(({ name }) => name === 'processor limit')
    if (check?.mechanism == null) skipBecause.call(context, `no sandbox here: ${check?.found}`)
  }
  const cpuMs = (pid: number): number => {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
  const rowOf = async (of: TestDaemon) =>
    (await of.info('spinner')).limits.find(({ name }) => name === 'max_cpu_percent')

  it('slows a plugin down to its share, and ends nothing', async function () {
    const held = await start(LIMITED)
    await requireHold(this, held)
    await held.call('spinner', 'fine')
    const pid = await held.pidOf('spinner')
    const [startMs, startCpuMs] = [performance.now(), cpuMs(pid)]
    const { result } = await held.call('spinner', 'spin', 2000)
    expect(result).to.equal(2000)
    const used = cpuMs(pid) - startCpuMs
    expect(used).to.be.lessThan((performance.now() - startMs) * 0.2 + SLACK_MS)
    expect(await held.pidOf('spinner')).to.equal(pid)
    expect(await rowOf(held)).to.deep.include({ declared: 20, effective: 20, not_held: null })
  })

  it('is narrowed while it runs, also where the manifest says nothing, and widened by nobody', async function () {
    const held = await start('')
    await requireHold(this, held)
    await held.call('spinner', 'fine')
    const pid = await held.pidOf('spinner')
    expect(await rowOf(held)).to.deep.include({ declared: null, effective: null, not_held: null })
    const spins = held.call('spinner', 'spin', 3000)
    const { processes } = await held.system.set_plugin_limits('spinner', { max_cpu_percent: 20 })
    expect(processes.map((one) => one.pid)).to.deep.equal([pid])
    const [startMs, startCpuMs] = [performance.now(), cpuMs(pid)]
    await spins
    expect(cpuMs(pid) - startCpuMs).to.be.lessThan((performance.now() - startMs) * 0.2 + SLACK_MS)
    expect(await rowOf(held)).to.deep.include({ declared: null, effective: 20 })
  })

  it('leaves no process behind when the daemon is killed while one is stopped', async function () {
    const held = await start(LIMITED.replace('20', '1'))
    await requireHold(this, held)
    await held.call('spinner', 'fine')
    const pid = await held.pidOf('spinner')
    const spins = held.call('spinner', 'spin', -1).catch(() => null)
    await until(() => /\) T /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1')), 'it to be stopped')
    process.kill(held.pid, 'SIGKILL')
    await until(() => !isAlive(pid), 'its end')
    await spins
    await until(() => !isAlive(held.pid), 'the end of the daemon')
    held.world.remove()
    daemon = null
  })

  it('says on every surface that names limits where nothing holds it', async () => {
    const unheld = await start(LIMITED, { environment: { PHANTOM_BWRAP: '' } })
    const words = /not held on this machine: no delegated cgroup v2/
    expect((await unheld.call('spinner', 'fine')).success).to.equal(true)
    expect(await rowOf(unheld)).to.deep.include({ declared: 20, effective: null, mechanism: null })
    const { plugins } = unheld.world
    const line = new CommandLine(unheld.world.folder)
    for (const command of ['info', 'limits', 'verify', 'doctor']) {
      const said =
        command === 'doctor'
          ? JSON.stringify(await unheld.system.get_doctor_report())
          : await line.said(
              command,
              'spinner',
              '--plugins',
              plugins,
              ...(command === 'verify' ? ['--json'] : []),
            )
      expect(said, command).to.match(words)
    }
    const [instance] = (await unheld.info('spinner')).instances
    expect(instance?.attestation?.not_held).to.include('max_cpu_percent')
  })

  it('refuses to start, and to set, what nothing holds where sandboxes are required', async function () {
    const strict = await start(LIMITED + PROGRAMS, {
      config: 'security:\n  required_tier: namespace\n',
    })
    await requireHold(this, strict)
    await strict.approve('spinner')
    const error = await strict.refusal('spinner', 'fine')
    expect(error.code).to.equal('SANDBOX_UNAVAILABLE')
    expect(error.message).to.match(/max_cpu_percent is not held on this machine/)
    await strict.approve('free')
    const set = (): Promise<unknown> => strict.system.set_plugin_limits('free', { max_cpu_percent: 20 })
    const refused = await refusalOf(set())
    expect(refused.code).to.equal('SANDBOX_UNAVAILABLE')
    expect(refused.message).to.match(/^Cannot limit "free": .*max_cpu_percent is not held on this machine/)
    expect((await strict.call('free', 'fine')).result).to.equal('fine')
  })
})
