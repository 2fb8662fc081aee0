import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'

/** A plugin of one manifest and one file, by the paths of a world. */
function pluginFiles(id: string, code: string, more = ''): Record<string, string> {
  return { [`plugins/${id}/plugin.toml`]: manifestText(id, more), [`plugins/${id}/index.js`]: code }
}

const FINE = 'export default { operations: { fine: () => "fine" } }\n'
/** Kept running, given up at the fourth abnormal end. */
const KEPT = '[restart]\npolicy = "permanent"\nintensity = 3\nperiod_ms = 60000\n'
const LITTLE_MEMORY = '[resource_limits]\nmax_memory_mb = 64\n'

describe('A plugin that is hostile to the engine', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  afterEach(() => daemon.stop())

  it('does not take the stripping of types from the others by a source that breaks it', async () => {
    const typed = (id: string, source: string): Record<string, string> => ({
      [`plugins/${id}/plugin.toml`]: manifestText(id).replace('index.js', 'index.ts'),
      [`plugins/${id}/index.ts`]: source,
    })
    const tooDeep = `const a = ${'['.repeat(200_000)}`
    daemon = await TestDaemon.start({
      files: {
        ...typed('breaks', tooDeep),
        ...typed('breaks_too', tooDeep),
        ...typed('typed', 'const x: number = 1\nexport default { operations: { fine: () => x } }\n'),
      },
    })
    // Each overflow of the stripper's stack leaves less of it; the second is one too many.
    for (const id of ['breaks', 'breaks_too'])
      expect((await daemon.refusal(id, 'fine')).code).to.equal('PLUGIN_START_FAILED')
    expect((await daemon.call('typed', 'fine')).result).to.equal(1)
  })

  it('is given up when it fills its memory without a call, again and again', async () => {
    const grows = `export default {
      initialize: () => void setTimeout(() => { const a = []; for (;;) a.push(Buffer.alloc(4e6, 1)) }, 20),
      operations: { fine: () => 1 },
    }`
    const more = `[runtime]\nactivation = "eager"\n${KEPT}${LITTLE_MEMORY}`
    daemon = await TestDaemon.start({ files: pluginFiles('grows', grows, more) })
    await until(async () => (await daemon.info('grows')).state === 'failed', 'a plugin that is given up')
  })

  it('is given up when its standby fills its memory, again and again', async () => {
    const grows = `let isUsed = false
      setTimeout(() => { const a = []; while (!isUsed) a.push(Buffer.alloc(4e6, 1)) }, 150)
      export default { initialize: () => void (isUsed = true), operations: { fine: () => 1 } }`
    const more = `[runtime]\nactivation = "eager"\nstandby = 1\n${KEPT}${LITTLE_MEMORY}`
    daemon = await TestDaemon.start({ files: pluginFiles('grows', grows, more) })
    const exits = async () => (await daemon.system.get_incidents('grows', 100)).length
    await until(async () => (await exits()) >= 3, 'standbys that died')
    await until(
      async () => (await daemon.info('grows')).state === 'failed' || (await exits()) > 8,
      'the end of it',
    )
    expect(await exits()).to.be.at.most(8)
  })

  it('does not show others, by its copy, what they could not reach in its folder', async () => {
    daemon = await TestDaemon.start({
      files: { ...pluginFiles('closed', FINE), 'plugins/closed/private/key.txt': 'key' },
      prepare: (world) => fs.chmodSync(world.path('plugins/closed/private'), 0o700),
    })
    await daemon.call('closed', 'fine')
    const { state_directory: state } = await daemon.system.get_status()
    const [digest] = fs.readdirSync(`${state}/generations/closed`)
    const { mode } = fs.statSync(`${state}/generations/closed/${digest}/private`)
    expect(mode & 0o077).to.equal(0)
  })

  it('is told in words of a file name that is no text', async () => {
    daemon = await TestDaemon.start({
      files: pluginFiles('odd', FINE),
      prepare: (world) =>
        fs.writeFileSync(
          Buffer.concat([Buffer.from(world.path('plugins/odd/x')), Buffer.from([0xff, 0xfe])]),
          'x',
        ),
    })
    const outcome = await daemon.call('odd', 'fine').then(
      ({ success }) => (success ? 'ok' : 'failed'),
      ({ code }) => code,
    )
    expect(outcome).to.be.oneOf(['ok', 'PLUGIN_START_FAILED'])
  })

  it('is copied without its pipes and sockets, and its links lead where they led', async () => {
    daemon = await TestDaemon.start({
      files: pluginFiles('links', FINE),
      prepare: (world) => {
        fs.symlinkSync('/etc/shadow', world.path('plugins/links/shadow'))
        fs.symlinkSync('.', world.path('plugins/links/loop'))
        fs.symlinkSync('nowhere', world.path('plugins/links/dangling'))
      },
    })
    expect((await daemon.call('links', 'fine')).result).to.equal('fine')
    const { state_directory: state } = await daemon.system.get_status()
    const [digest] = fs.readdirSync(`${state}/generations/links`)
    expect(fs.readlinkSync(`${state}/generations/links/${digest}/shadow`)).to.equal('/etc/shadow')
  })

  it('cannot end the daemon by hooks that never answer', async () => {
    const never = `const never = () => new Promise(() => {})
      export default { operations: { fine: () => 'fine' }, health: never }`
    daemon = await TestDaemon.start({ files: pluginFiles('mute', never) })
    await daemon.call('mute', 'fine')
    const client = await daemon.connect()
    for (let id = 0; id < 500; id += 1)
      client.send(
        `{"jsonrpc":"2.0","id":${id},"method":"get_plugin_health","params":{"plugin_id":"mute","interval_ms":100}}\n`,
      )
    await client.answer(499)
    client.destroy()
    expect((await daemon.call('mute', 'fine')).result).to.equal('fine')
    expect(isAlive(daemon.pid)).to.equal(true)
  })
})

describe('A plugin that others need', function () {
  this.timeout(60_000)

  it('costs nobody a call while it is reloaded, also where only one process of it may run', async () => {
    const slow = `export default {
      initialize: () => new Promise((resolve) => setTimeout(resolve, 800)),
      operations: { fine: () => 'fine' },
    }`
    const daemon = await TestDaemon.start({
      files: {
        ...pluginFiles('needed', slow, '[runtime]\nexclusive = true\n'),
        ...pluginFiles('needer', FINE, '[plugin_dependencies]\nneeded = "^1.0.0"\n'),
      },
    })
    try {
      await daemon.call('needed', 'fine')
      const oldPid = await daemon.pidOf('needed')
      const reload = daemon.system.reload_plugin('needed')
      await until(() => !isAlive(oldPid), 'the end of the old process')
      const answer = await daemon.call('needer', 'fine').catch((error: unknown) => error)
      await reload
      expect(answer).to.have.property('result', 'fine')
    } finally {
      await daemon.stop()
    }
  })
})
