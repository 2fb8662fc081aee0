import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import type { PluginSystemApi } from '../../src/index.ts'
import { isAlive, outcomeOf, refusalOf, until, World } from '../helpers/daemon.ts'
import { line, RawClient } from '../helpers/raw-client.ts'

const REPOSITORY = path.resolve(import.meta.dirname, '../..')
const APPLICATION = path.join(import.meta.dirname, '../helpers/application.ts')
/** About a second is promised. */
const PRIVATE_END_MS = 3_000
const RUNNER_END_MS = 2_000

describe('The life of a private daemon', function () {
  this.timeout(60_000)
  let world: World
  const applications: ChildProcess[] = []
  const systems: PluginSystemApi[] = []

  beforeEach(() => {
    world = new World({ plugins: ['echoes', 'echoes as second', 'ignores-its-end', 'blocks-its-thread'] })
  })
  afterEach(async () => {
    for (const application of applications.splice(0)) application.kill('SIGKILL')
    for (const system of systems.splice(0)) await system.shutdown()
    const lock = socketOf(world)
    await until(() => !fs.existsSync(lock), 'the socket to be gone')
    world.remove()
  })

  async function attach(workspace?: string): Promise<PluginSystemApi> {
    const system = await world.attach(workspace)
    systems.push(system)
    return system
  }

  /** An application in a process of its own, that has attached and made a call. */
  async function startApplication(): Promise<ChildProcess & { daemonPid: number }> {
    const child = spawn(process.execPath, [APPLICATION, world.plugins, world.folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: REPOSITORY,
    })
    applications.push(child)
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    return Object.assign(child, { daemonPid: Number(said.toString()) })
  }

  it('is shared by two applications, and ends with all its runners soon after the last one', async () => {
    const [first, second] = [await attach(), await attach()]
    await Promise.all([first.execute_plugin('echoes', 'echo'), second.execute_plugin('second', 'echo')])
    const status = await second.get_status()
    expect(status).to.deep.include({ pid: (await first.get_status()).pid, clients: 2, private: true })
    const runners = await runnersOf(first)
    expect(runners).to.have.length(2)
    await first.shutdown()
    expect(isAlive(status.pid)).to.be.true
    expect((await second.execute_plugin('echoes', 'echo', 'on')).result).to.equal('on')
    await second.shutdown()
    await until(() => !isAlive(status.pid) && !runners.some(isAlive), 'the end of all', PRIVATE_END_MS)
    expect([status.socket, status.admin_socket].filter((file) => fs.existsSync(file))).to.deep.equal([])
  })

  it('counts an application that SIGKILL ended as left', async () => {
    const application = await startApplication()
    const system = await attach()
    expect((await system.get_status()).pid).to.equal(application.daemonPid)
    application.kill('SIGKILL')
    await until(async () => (await system.get_status()).clients === 1, 'it to be gone')
    await system.shutdown()
    await until(() => !isAlive(application.daemonPid), 'the end of the daemon', PRIVATE_END_MS)
  })

  it('ends with all its runners when SIGKILL ends its only application', async () => {
    const application = await startApplication()
    const runners = childrenOf(application.daemonPid)
    expect(runners).not.to.be.empty
    application.kill('SIGKILL')
    await until(
      () => !isAlive(application.daemonPid) && !runners.some(isAlive),
      'the end of all',
      PRIVATE_END_MS,
    )
  })

  it('takes every runner along when SIGKILL ends it, tells its applications, and is replaced', async () => {
    const system = await attach()
    await Promise.all(
      ['echoes', 'second', 'ignores_its_end'].map((id) => system.execute_plugin(id, operationOf(id))),
    )
    const { pid } = await system.get_status()
    const runners = await runnersOf(system)
    expect(runners).to.have.length(3)
    const pending = Array.from({ length: 5 }, () =>
      refusalOf(system.execute_plugin('echoes', 'wait', 20_000)),
    )
    const spinning = refusalOf(
      system.execute_plugin('blocks_its_thread', 'compute', null, { timeout_ms: 20_000 }),
    )
    await until(async () => (await system.get_status()).calls.in_flight >= 5, 'the calls to run')
    process.kill(pid, 'SIGKILL')
    for (const error of await Promise.all([...pending, spinning])) {
      expect(error.code).to.equal('DAEMON_LOST')
      expect(error.message).to.contain(socketOf(world)).and.to.contain('daemon.log')
    }
    await until(() => !runners.some(isAlive), 'the end of the runners', RUNNER_END_MS)
    expect(fs.existsSync(socketOf(world)), 'a socket that nobody listens on').to.be.true
    expect((await refusalOf(system.get_status())).code).to.equal('DAEMON_LOST')
    const next = await attach()
    expect((await next.get_status()).pid).not.to.equal(pid)
    expect((await next.execute_plugin('echoes', 'echo', 'again')).result).to.equal('again')
  })

  it('is one, also when four applications start at the very same moment', async () => {
    const started = await Promise.all([attach(), attach(), attach(), attach()])
    const pids = await Promise.all(started.map(async (system) => (await system.get_status()).pid))
    expect(new Set(pids).size).to.equal(1)
    expect((await started[0].get_status()).clients).to.equal(4)
  })

  for (const shutdownMs of [300, 3_000]) {
    it(`can be started while the one before it is still on its way out, for ${shutdownMs} ms`, async () => {
      const manifest = world.path('plugins/ignores_its_end/plugin.toml')
      const text = fs.readFileSync(manifest, 'utf8')
      fs.writeFileSync(manifest, text.replace('shutdown_ms = 300', `shutdown_ms = ${shutdownMs}`))
      const leaving = await world.attach()
      await leaving.execute_plugin('ignores_its_end', 'fine')
      const { pid } = await leaving.get_status()
      const left = leaving.shutdown()
      await until(() => !fs.existsSync(socketOf(world)), 'it to stop listening')
      try {
        const next = await attach()
        expect((await next.execute_plugin('echoes', 'echo', 'on')).result).to.equal('on')
        expect((await next.get_status()).pid).not.to.equal(pid)
      } finally {
        await left
        await until(() => !isAlive(pid), 'the end of the first')
      }
    })
  }

  it('refuses a second daemon on its state folder with exit code 65, and goes on', async () => {
    const system = await attach()
    const second = await runDaemon(['--plugins', world.plugins, '--environment', 'test'])
    expect(second.code).to.equal(65)
    expect(second.stderr).to.contain(world.path('.phantom/plugins'))
    expect((await system.execute_plugin('echoes', 'echo', 'on')).result).to.equal('on')
    expect(fs.existsSync(socketOf(world))).to.be.true
  })

  it('answers each of 20 calls in flight exactly once when SIGTERM ends it', async () => {
    const system = await attach()
    const { pid } = await system.get_status()
    const outcomes: string[] = []
    const ids = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 'echoes' : 'second'))
    const calls = ids.map(async (id) =>
      outcomes.push(await outcomeOf(system.execute_plugin(id, 'wait', 20_000))),
    )
    await until(async () => (await system.get_status()).calls.in_flight === 20, 'the calls to run')
    process.kill(pid, 'SIGTERM')
    await Promise.all(calls)
    expect(outcomes).to.have.length(20)
    expect(new Set(outcomes)).to.satisfy((seen: Set<string>) =>
      [...seen].every((one) => ['DAEMON_SHUTTING_DOWN', 'CALL_CANCELLED'].includes(one)),
    )
    await until(() => !isAlive(pid), 'the end of the daemon')
  })

  it('answers each call of a plain client, too, also those whose answers still wait for it to read', async () => {
    const system = await attach()
    const { pid, socket } = await system.get_status()
    await system.execute_plugin('echoes', 'echo')
    const client = await RawClient.open(socket)
    client.socket.pause()
    const params = { plugin_id: 'echoes', operation: 'letters', input: 1_000_000 }
    for (let id = 0; id < 20; id += 1) client.send(line({ id, method: 'execute_plugin', params }))
    await until(async () => (await system.get_status()).calls.total === 21, 'the calls to be taken')
    process.kill(pid, 'SIGTERM')
    client.socket.resume()
    await client.closed
    expect(client.messages.map(({ id }) => id)).to.have.members(Array.from({ length: 20 }, (_, id) => id))
    await until(() => !isAlive(pid), 'the end of the daemon')
  })

  it('works where the path of its state folder is too long for a socket', async () => {
    const deep = world.path(...Array.from({ length: 4 }, (_, at) => `a-folder-with-a-long-name-${at}`))
    fs.mkdirSync(deep, { recursive: true })
    const far = new World({ plugins: ['echoes'] })
    fs.renameSync(far.plugins, path.join(deep, 'plugins'))
    far.remove()
    const { create_plugin_system } = await import('../../src/index.ts')
    const [system, other] = [
      await create_plugin_system(path.join(deep, 'plugins'), 'test', { workspace: deep }),
      await create_plugin_system(path.join(deep, 'plugins'), 'test', { workspace: deep }),
    ]
    const status = await system.get_status()
    try {
      expect(Buffer.byteLength(status.socket)).to.be.at.most(107)
      expect(status.admin_socket).to.not.equal(status.socket)
      expect(await system.get_generations('echoes'), 'as operator').to.have.length(1)
      expect(Buffer.byteLength(status.state_directory)).to.be.above(107)
      expect((await other.get_status()).pid).to.equal(status.pid)
      expect((await system.execute_plugin('echoes', 'echo', 'far')).result).to.equal('far')
    } finally {
      await other.shutdown()
      await system.shutdown()
    }
    expect([status.socket, status.admin_socket].filter((file) => fs.existsSync(file))).to.deep.equal([])
  })
})

async function runDaemon(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [path.join(REPOSITORY, 'host/main.ts'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

async function runnersOf(system: PluginSystemApi): Promise<number[]> {
  const plugins = await system.list_plugins()
  const infos = await Promise.all(plugins.map(({ id }) => system.get_plugin_info(id)))
  return infos.flatMap(({ instances }) => instances.flatMap(({ pid }) => pid ?? []))
}

function childrenOf(pid: number): number[] {
  const threads = fs.readdirSync(`/proc/${pid}/task`)
  const lists = threads.map((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
}

function operationOf(id: string): string {
  return id === 'ignores_its_end' ? 'fine' : 'echo'
}

function socketOf(world: World): string {
  return world.path('.phantom/plugins/phantom.sock')
}
