import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { isPhantomError } from '../../src/index.ts'
import { refusalOf, TestDaemon, until, type World } from '../helpers/daemon.ts'

const ID = 'leaks_secrets'
const TOKEN = `tk+live/"9f8e7d6c5b4a" &39218`
const ROTATED = 'tk_live_rotated_0011223344'
/** What survives of a token in any spelling. */
const TRACES = [TOKEN, ROTATED].flatMap((token) => [
  token.slice(0, 9),
  token.slice(-9),
  Buffer.from(token).toString('hex').slice(0, 16),
  ...[0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + token)
      .toString('base64')
      .slice(4, 16),
  ),
])

describe('The value of env:NAME', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let secretsFile: string
  const heard: unknown[] = []

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['leaks-secrets', 'echoes', 'uses-its-grants'],
      config: 'log: { level: debug }\n',
      prepare: (world) => (secretsFile = addSecrets(world, `SERVICE_TOKEN=${JSON.stringify(TOKEN)}\n`)),
      environment: { SERVICE_TOKEN: 'the one of the environment', GIVEN_TO_PLUGIN: 'given' },
    })
  })
  after(() => daemon.stop())

  async function hear(operation: string): Promise<void> {
    const on_progress = (progress: object): void => void heard.push(progress)
    heard.push(await daemon.call(ID, operation, null, { on_progress }).catch((error: unknown) => error))
  }

  it('comes from the secrets file before the environment, and a result may hold it', async () => {
    expect((await daemon.call(ID, 'own')).result).to.equal(TOKEN)
    expect((await daemon.call('uses_its_grants', 'variable', 'GIVEN_TO_PLUGIN')).result).to.equal('given')
  })

  it('is in the environment of its own plugin alone, and in no command line', async () => {
    const own = await daemon.pidOf(ID)
    await daemon.call('echoes', 'echo', 1)
    const other = await daemon.pidOf('echoes')
    for (const pid of [daemon.pid, own, other])
      expectNoTrace(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'), `the command line of ${pid}`)
    expect(environmentOf(own)).to.contain(`SERVICE_TOKEN=${TOKEN}`)
    expect(environmentOf(other)).to.not.contain('SERVICE_TOKEN')
  })

  it('is taken out of whatever its plugin says, in every spelling, also broken over two lines', async () => {
    for (const operation of ['prints', 'logs', 'throws', 'throws_long', 'reaches', 'dies'])
      await hear(operation)
    await daemon.call(ID, 'own')
    const { system } = daemon
    await until(async () => (await system.get_incidents(ID)).length > 0, 'the incident')
    heard.push(await daemon.info(ID), await system.get_plugin_health(ID), await system.get_metrics())
    heard.push(await system.get_incidents(ID), await system.get_execution_history())
    const logs = await system.get_plugin_logs({ plugin_id: ID, lines: 500 })
    heard.push(logs)
    const said = JSON.stringify(heard.map(inWords))
    expectNoTrace(said, 'the answers')
    const lines = logs.map(({ message }) => message)
    expect(lines).to.include.members([
      'out [secret]',
      'err [secret]',
      'chunk [secret]',
      'line [secret]',
      '[secret] on',
    ])
    for (const words of ['no login with [secret]', 'at [secret]', 'last words [secret]', 'fs_read:/srv/'])
      expect(said).to.contain(words)
  })

  it('is read again at the next start of a process, and the old one is taken out still', async () => {
    fs.writeFileSync(secretsFile, `SERVICE_TOKEN=${ROTATED}\n`)
    await hear('dies')
    await until(async () => (await daemon.call(ID, 'own')).result === ROTATED, 'the new token')
    await hear('prints')
    const logs = await daemon.system.get_plugin_logs({ plugin_id: ID, lines: 500 })
    expectNoTrace(JSON.stringify([...heard.map(inWords), logs]), 'the answers')
  })

  it('is refused, with the plugin, when the file is open to others; others go on', async () => {
    fs.chmodSync(secretsFile, 0o644)
    await hear('dies')
    const error = await refusalOf(daemon.call(ID, 'own'))
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.contain(`"${secretsFile}": its mode is 0644`)
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    fs.chmodSync(secretsFile, 0o600)
    const again = async () => (await daemon.call(ID, 'own').catch(() => null))?.result
    await until(async () => (await again()) === ROTATED, 'its start when the file is right again')
  })

  it('is in no file of the daemon', () => {
    const folder = daemon.world.path('.phantom')
    for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = path.join(entry.parentPath, entry.name)
      expectNoTrace(fs.readFileSync(file, 'latin1'), file)
    }
  })
})

describe('A secrets file', () => {
  const refused: readonly [string, (world: World) => void, RegExp][] = [
    ['that others may read', (world) => fs.chmodSync(addSecrets(world, 'A=1\n'), 0o640), /its mode is 0640/],
    ['with a mistake', (world) => addSecrets(world, 'A=1\nhunter2\n'), /line 2: it has no "="/],
    ['that is missing', (world) => fs.rmSync(addSecrets(world, '')), /it is not there/],
  ]
  for (const [what, prepare, words] of refused) {
    it(`${what} lets no daemon start`, async () => {
      const error = await refusalOf(TestDaemon.start({ prepare, config: 'log: { level: info }\n' }))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.match(words).and.to.not.contain('hunter')
    })
  }

  it('in the plugin directory, where plugins see it, lets no daemon start', async () => {
    const prepare = (world: World): void => {
      addSecrets(world, 'A=1\n')
      world.write('plugins/echoes/secrets', 'A=1\n')
      fs.chmodSync(world.path('plugins/echoes/secrets'), 0o600)
      const named = JSON.stringify(world.path('plugins/echoes/secrets'))
      world.write('config/default.yaml', `security: { secrets_file: ${named} }\n`)
    }
    const error = await refusalOf(TestDaemon.start({ plugins: ['echoes'], prepare, config: '{}\n' }))
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.contain('it lies in the plugin directory, where plugins see it')
  })

  it('is shown to no plugin: a grant that contains it is refused', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['reads-outside'],
      config: 'log: { level: info }\n',
      prepare: (world) => {
        addSecrets(world, 'A=hunter2hunter2\n')
        const manifest = world.path('plugins/reads_outside/plugin.toml')
        fs.appendFileSync(manifest, '\n[permissions]\npermissions = ["fs_read:./keys"]\n')
      },
    })
    try {
      const { permissions } = await daemon.info('reads_outside')
      expect(permissions[0]?.effective).to.equal(null)
      expect(permissions[0]?.refused).to.contain("contains the daemon's secrets file")
      const error = await daemon.refusal('reads_outside', 'read', daemon.world.path('keys/secrets'))
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.message).to.contain('fs_read:./keys is declared and was not granted')
    } finally {
      await daemon.stop()
    }
  })
})

function addSecrets(world: World, text: string): string {
  const file = world.path('keys/secrets')
  world.write('keys/secrets', text)
  fs.chmodSync(file, 0o600)
  world.write(
    'config/default.yaml',
    `log: { level: debug }\nsecurity: { secrets_file: ${JSON.stringify(file)} }\n`,
  )
  return file
}

function environmentOf(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/environ`, 'utf8')
}

function inWords(one: unknown): unknown {
  return isPhantomError(one) ? { message: one.message, details: one.details, cause: one.cause } : one
}

function expectNoTrace(text: string, where: string): void {
  const found = TRACES.filter((trace) => text.includes(trace))
  const at = text.indexOf(found[0] ?? '')
  expect(
    found,
    `traces of a secret in ${where}: ${text.slice(Math.max(0, at - 200), at + 100)}`,
  ).to.deep.equal([])
}
