import { expect } from 'chai'
import { TestDaemon, until, type World } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

const STARTS = `import { execFileSync, spawn } from 'node:child_process'
export default {
  operations: {
    run: ({ file, args }) => execFileSync(file, args, { encoding: 'utf8' }).trim(),
    leave: () => {
      const child = spawn('/bin/sh', ['-c', 'setsid sleep 300 & sleep 300'], { detached: true, stdio: 'ignore' })
      child.unref()
      return child.pid
    },
  },
}
`
const OPENS = `import os, { networkInterfaces } from 'node:os'
export default {
  operations: {
    interfaces: () => [os.networkInterfaces(), networkInterfaces()],
    query: async () => {
      const { DatabaseSync } = await import('node:sqlite')
      return new DatabaseSync(':memory:').prepare('select 6 * 7 as answer').get().answer
    },
  },
}
`

function add(world: World): void {
  const process = '[permissions]\npermissions = ["process"]\n'
  world.write('plugins/starts/plugin.toml', manifestText('starts', process))
  world.write('plugins/starts/index.js', STARTS)
  world.write('plugins/plain/plugin.toml', manifestText('plain'))
  world.write('plugins/plain/index.js', STARTS)
  world.write('plugins/opens/plugin.toml', manifestText('opens', '[runtime]\nsqlite = true\n'))
  world.write('plugins/opens/index.js', OPENS)
  world.write('plugins/closed/plugin.toml', manifestText('closed'))
  world.write('plugins/closed/index.js', OPENS)
}

describe('A plugin that may start programs, and one that opens a part of Node', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async function () {
    daemon = await TestDaemon.start({ prepare: add })
    const { tier } = await daemon.system.get_status()
    if (tier === 'process') skipBecause.call(this, 'tier process grants neither')
  })
  after(() => daemon?.stop())

  it('waits for somebody who approves the risk, then starts them and says how it is held', async () => {
    const file = { file: 'uname', args: ['-n'] }
    expect((await daemon.refusal('starts', 'run', file)).code).to.equal('PLUGIN_BLOCKED')
    await daemon.approve('starts')
    expect((await daemon.call('starts', 'run', file)).result).to.equal('plugin')
    const [right] = (await daemon.info('starts')).permissions
    expect(right).to.deep.include({
      declared: 'process',
      effective: 'start programs inside the same walls',
      refused: null,
    })
    expect(right?.mechanism).to.include('namespaces').and.include('RLIMIT_NPROC')
  })

  async function sleepers(): Promise<number> {
    const file = { file: 'sh', args: ['-c', 'cat /proc/[0-9]*/comm'] }
    const { result } = await daemon.call('starts', 'run', file)
    return String(result)
      .split('\n')
      .filter((name) => name === 'sleep').length
  }

  it('takes all that it started along when it ends', async () => {
    await daemon.approve('starts')
    await daemon.call('starts', 'leave')
    const [instance] = (await daemon.info('starts')).instances
    await until(async () => (await sleepers()) === 2, 'both programs run')
    await daemon.system.unload_plugin('starts')
    await until(() => !runs(instance?.pid ?? 0), 'the process is gone')
    await daemon.system.load_plugin('starts')
    expect(await sleepers(), 'a sandbox of its own').to.equal(0)
  })

  it('gets an empty answer where a library asks for network interfaces, by whatever name', async () => {
    expect((await daemon.call('closed', 'interfaces')).result).to.deep.equal([{}, {}])
  })

  it('starts nothing where nobody granted it', async () => {
    const refused = await daemon.refusal('plain', 'run', { file: '/bin/true', args: [] })
    expect(refused.code).to.equal('PERMISSION_DENIED')
    expect(refused.details).to.deep.include({ missing: ['process'] })
  })

  it('has node:sqlite where its manifest asks for it, shown among its rights, and nowhere else', async () => {
    expect((await daemon.call('opens', 'query')).result).to.equal(42)
    const right = (await daemon.info('opens')).permissions.find(({ declared }) =>
      declared.startsWith('runtime'),
    )
    expect(right).to.deep.include({ declared: 'runtime.sqlite = true', refused: null })
    expect(right?.effective).to.include('SQLite')
    const closed = await daemon.call('closed', 'query').then(
      ({ success }) => success,
      () => false,
    )
    expect(closed).to.equal(false)
  })
})

describe('The same in tier process', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  before(async () => {
    daemon = await TestDaemon.start({ prepare: add, environment: { PHANTOM_BWRAP: '/nonexistent' } })
  })
  after(() => daemon.stop())

  it('is refused, in words: nothing would hold what goes past Node', async () => {
    const opens = await daemon.refusal('opens', 'query')
    expect(opens.code).to.equal('PLUGIN_BLOCKED')
    expect(opens.message)
      .to.include('[runtime] sqlite = true')
      .and.include('tier "namespace" alone')
      .and.include('bubblewrap is not installed')
    await daemon.approve('starts')
    const [right] = (await daemon.info('starts')).permissions
    expect(right?.refused).to.include('programs need walls around them')
    expect((await daemon.refusal('starts', 'run', { file: '/bin/true', args: [] })).code).to.equal(
      'PERMISSION_DENIED',
    )
  })
})

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
