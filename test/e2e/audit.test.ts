import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import type { AuditRecord, AuditVerification } from '../../src/contract/audit.ts'
import { CommandLine, type RunningCommand } from '../helpers/command-line.ts'
import { isAlive, until, World } from '../helpers/daemon.ts'
import { RawClient } from '../helpers/raw-client.ts'

const MAIN = path.resolve(import.meta.dirname, '../../host/main.ts')
const RELOAD = { plugin_id: 'echoes' }

describe('the audit log of a daemon', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine

  beforeEach(() => {
    world = new World({ plugins: ['echoes'] })
    phantom = new CommandLine(world.folder)
  })
  afterEach(async () => {
    await phantom.stop()
    world.remove()
  })

  const stateFile = (name: string): string => world.path('.phantom/plugins', name)
  const audit = async (...args: readonly string[]): Promise<AuditRecord[]> => {
    const { code, stdout, stderr } = await phantom.run(['audit', ...args, '--json'])
    expect(code, stderr).to.equal(0)
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as AuditRecord)
  }

  it('is shown, filtered, followed and verified by the command line', async () => {
    const serve = await phantom.serve()
    const followed = phantom.start('audit', '--follow', '--action', 'admin.', '--json')
    await until(async () => {
      await phantom.said('reset', 'echoes')
      return followed.text.includes('admin.reset_plugin')
    }, 'an act to be followed')
    await phantom.said('reload', 'echoes')
    const acts = await audit('--action', 'admin.reload_plugin', '--plugin', 'echoes', '--since', '1h')
    expect(acts.map(({ action, outcome }) => `${action} ${outcome}`)).to.deep.equal([
      'admin.reload_plugin begun',
      'admin.reload_plugin done',
    ])
    expect(acts[0]?.actor?.client).to.match(/^@phantom-ml\/core /)
    if (acts[0]?.actor?.uid !== null) expect(acts[0]?.actor?.command).to.include('launcher.ts reload echoes')
    const none = await phantom.run(['audit', '--action', 'no.such'])
    expect(none).to.include({ code: 0, stdout: '' })
    expect(none.stderr).to.include('No record of the audit log is like that')
    const shown = await phantom.said('audit', '--limit', '1', '--action', 'admin.reload_plugin')
    expect(shown).to.match(/done {4}admin\.reload_plugin {2}echoes {2}by /)
    expect(await audit('--plugin', 'nobody')).to.deep.equal([])
    expect(await phantom.said('audit', 'verify')).to.match(/^whole {2}records 1 to \d+/)
    await end(serve)
    expect(await phantom.said('audit', 'verify')).to.match(/^whole {2}records 1 to \d+/)
    fs.appendFileSync(
      stateFile('audit.jsonl'),
      `${fs.readFileSync(stateFile('audit.jsonl'), 'utf8').split('\n')[0]}\n`,
    )
    const { code, stdout } = await phantom.run(['audit', 'verify'])
    expect([code, stdout]).to.satisfy(
      ([one, text]: [number, string]) => one === 1 && text.includes('reordered'),
    )
  })

  it('says of an act that a kill cut short that it began, and both sockets come back', async () => {
    const system = await world.attach()
    const { pid, admin_socket: adminSocket } = await system.get_status()
    await system.execute_plugin('echoes', 'echo', 'here')
    const operator = await RawClient.open(adminSocket)
    const reload = operator.request('reload_plugin', RELOAD).catch(() => null)
    await until(
      () => fs.readFileSync(stateFile('audit.jsonl'), 'utf8').includes('admin.reload_plugin'),
      'its line',
    )
    process.kill(pid, 'SIGKILL')
    await Promise.all([reload, operator.closed])
    await until(() => !isAlive(pid), 'the end of the daemon')
    await system.shutdown()
    const again = await world.attach()
    try {
      const acts = await again.get_audit_log({ action: 'admin.reload_plugin' })
      expect(acts[0]?.outcome).to.equal('begun')
      expect(await again.verify_audit_log()).to.deep.include({ ok: true, problems: [] })
    } finally {
      await again.shutdown()
    }
  })

  it('says that nobody is known where the kernel can not be asked, and warns of nothing', async () => {
    const daemon = spawn(process.execPath, [MAIN, '--plugins', world.plugins, '--environment', 'test'], {
      cwd: world.folder,
      env: { ...process.env, NODE_OPTIONS: '--no-experimental-ffi' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let words = ''
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (words += text))
    const ended = once(daemon, 'exit')
    try {
      await until(() => fs.existsSync(stateFile('phantom.sock')), 'the daemon to listen')
      const operator = await RawClient.open(stateFile('phantom-admin.sock'))
      await operator.request('reset_plugin', RELOAD)
      const { result } = await operator.request('get_audit_log', { action: 'admin.', limit: 1 })
      const [act] = (result as { records: AuditRecord[] }).records
      expect(act?.actor).to.deep.include({ uid: null, pid: null, client: null })
      expect(act?.actor?.identity).to.equal(`unknown (socket file's owner uid ${process.getuid?.()})`)
      const verified = (await operator.request('verify_audit_log')).result as AuditVerification
      expect(verified.ok).to.equal(true)
      operator.destroy()
    } finally {
      daemon.kill('SIGTERM')
      await ended
    }
    expect(words).to.equal('')
  })

  it('prints no warning of what is experimental where it can be asked', async () => {
    const serve = await phantom.serve()
    await phantom.said('reset', 'echoes')
    await end(serve)
    expect(serve.text).to.not.include('Experimental')
  })
})

async function end({ child, exitCode }: RunningCommand): Promise<void> {
  child.kill('SIGTERM')
  await exitCode
}
