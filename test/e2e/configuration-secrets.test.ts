import fs from 'node:fs'
import { expect } from 'chai'
import { isPhantomError, type PluginSystemApi } from '../../src/index.ts'
import { isAlive, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'

const ID = 'tells_its_secrets'
const TOKEN = `p4ss/"wörd' +&=% of Ada`
/** Its lines are told one by one. */
const KEY = [
  '-----BEGIN KEY-----',
  'MIIEvQIBADANBgkqhkiG9w0BAQ',
  'EFAASCBKcwggSjAgEAAoIBAQC7',
  '-----END KEY-----',
].join('\n')
/** What of the secrets survives in any spelling. */
const TRACES = [
  'p4ss',
  'rd of Ada',
  'MIIEvQ',
  'EFAASC',
  ...[0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + TOKEN)
      .toString('base64')
      .slice(4, 16),
  ),
]

describe('The secrets of a configuration', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let system: PluginSystemApi
  let references: Readonly<Record<string, string>>
  const heard: unknown[] = []

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['tells-its-secrets'],
      files: { 'secrets/key': `${KEY}\n` },
      config: 'log: { level: debug }\n',
      environment: { ADAS_TOKEN: TOKEN },
    })
    system = daemon.system
    references = { token: '${env:ADAS_TOKEN}', key: `\${file:${daemon.world.path('secrets/key')}}` }
    await system.update_plugin_config(ID, references)
  })
  after(async () => await daemon.stop())

  async function call(operation: string): Promise<void> {
    const on_progress = (progress: object): void => void heard.push(progress)
    const answer = daemon.call(ID, operation, null, { on_progress })
    heard.push(await answer.catch((error: unknown) => error))
  }

  it('reach the plugin that has their references in its file', async () => {
    const { result } = await daemon.call(ID, 'has')
    expect(result).to.deep.equal({ token: TOKEN, key: KEY, start: 'well' })
  })

  it('stay unknown to the command lines and environments of the processes below the daemon', async () => {
    const below = descendantsOf(daemon.pid)
    expect(below).to.include(await daemon.pidOf(ID))
    for (const pid of below)
      for (const file of ['cmdline', 'environ'])
        expectNoTrace(fs.readFileSync(`/proc/${pid}/${file}`, 'utf8'), `${file} of ${pid}`)
  })

  it('stand as references in what the system says of the configuration', async () => {
    const info = await system.get_plugin_config(ID)
    expect(info.effective).to.deep.equal({ ...references, start: 'well' })
    const [revision] = await system.get_plugin_config_history(ID)
    expect(revision?.text).to.contain('${env:ADAS_TOKEN}').and.to.contain('${file:')
    heard.push(info, revision, await system.update_plugin_config(ID, { verbose: true }))
  })

  it('are taken out of everything that the plugin says', async () => {
    await call('tell')
    await call('throws')
    heard.push(await daemon.info(ID), await system.get_plugin_health(ID))
    await call('dies')
    await call('tell')
    const incidents = async () => await system.get_incidents(ID)
    await until(async () => (await incidents()).length > 0, 'the incident')
    heard.push(
      await incidents(),
      await daemon.info(ID),
      await system.get_plugin_health(ID),
      await system.get_metrics(),
    )
    heard.push(await system.get_execution_history(), await system.get_plugin_logs({ plugin_id: ID }))
    const said = JSON.stringify(
      heard.map((one) =>
        isPhantomError(one) ? { message: one.message, details: one.details, cause: one.cause } : one,
      ),
    )
    expectNoTrace(said, 'the answers')
    for (const words of [
      'no login with [secret]',
      'logged in with [secret]',
      'fatal: ',
      '"metadata":{"token":"[secret]"',
    ])
      expect(said).to.contain(words)
  })

  it('are taken out of a veto, of a start that fails and of one that ends', async () => {
    const veto = await refusalOf(system.update_plugin_config(ID, { start: 'throws' }))
    const pid = await daemon.pidOf(ID)
    const dead = await refusalOf(system.update_plugin_config(ID, { start: 'exits' }))
    expect([veto.code, dead.code]).to.deep.equal(['CONFIG_INVALID', 'GENERATION_REJECTED'])
    expect([veto.message, dead.message].join())
      .to.contain('no start with [secret]')
      .and.to.contain('[secret]')
    expectNoTrace(JSON.stringify([veto, veto.message, dead, dead.message]), 'the refusals')
    const health = await system.get_plugin_health(ID)
    expectNoTrace(
      JSON.stringify([health, await system.get_generations(ID), await system.get_incidents(ID)]),
      'what is told',
    )
    expect(isAlive(pid), 'the old process').to.be.true
  })

  it('that are missing, or do not fit, are named by key and reference alone', async () => {
    daemon.world.write('secrets/short', 'p4ss wd')
    const short = `\${file:${daemon.world.path('secrets/short')}}`
    const bad = {
      none: '${env:NOBODYS_TOKEN}',
      gone: '${file:/nowhere/key}',
      short,
      own: `\${file:${daemon.world.path('.phantom/plugins/state.db')}}`,
    }
    for (const [what, token] of Object.entries(bad)) {
      const error = await refusalOf(system.update_plugin_config(ID, { token }))
      expect(error.code, what).to.equal('CONFIG_INVALID')
      expect(error.message, what).to.contain('token').and.to.contain(token).and.to.contain(`${ID}.yaml:1:`)
      expectNoTrace(error.message, what)
    }
    expect((await system.get_plugin_config(ID)).effective).to.deep.include(references)
  })

  it('are followed in the file alone: a reference in a default of the plugin stays text', async () => {
    const { effective } = await system.update_plugin_config(ID, { token: null })
    expect(effective['token']).to.equal('${env:PATH}')
    const { result } = await daemon.call<{ token: string }>(ID, 'has')
    expect(result?.token).to.equal('${env:PATH}')
  })

  it('are in no file of the daemon, but where they came from', async () => {
    await system.shutdown()
    await until(() => !isAlive(daemon.pid), 'the end of the daemon')
    const folders = [daemon.world.path('.phantom'), daemon.world.path('config')]
    const files = folders.flatMap((folder) =>
      fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    )
    const read = files.map(
      ({ parentPath, name }) => [name, fs.readFileSync(`${parentPath}/${name}`, 'latin1')] as const,
    )
    for (const [name, text] of read) expectNoTrace(text, name)
    const names = read.map(([name]) => name)
    expect(names).to.include.members(['daemon.log', 'state.db', `${ID}.yaml`])
    const pluginLog = read.find(([name]) => name.startsWith(ID) && name.endsWith('.log'))
    expect(pluginLog?.[1]).to.contain('logged in with [secret]')
  })
})

function expectNoTrace(text: string, where: string): void {
  const found = TRACES.filter((trace) => text.includes(trace))
  expect(found, `traces of a secret in ${where}: ${text.slice(0, 4000)}`).to.deep.equal([])
}

function descendantsOf(pid: number): number[] {
  const threads = fs.readdirSync(`/proc/${pid}/task`)
  const lists = threads.map((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return children.flatMap((child) => [child, ...descendantsOf(child)])
}
