import { expect } from 'chai'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { AuditRecord } from '../../src/contract/audit.ts'
import { isAlive, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { makeTemporary, ordinaryUser, removeTemporary, whyNotReadable } from '../helpers/ordinary-user.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { skipBecause } from '../helpers/skip.ts'

const INDEX = path.resolve(import.meta.dirname, '../../src/index.ts')
/** What another user's application can do; it prints one JSON line. */
const APPLICATION = `
  import { createConnection } from 'node:net'
  const { connect } = await import(${JSON.stringify(pathToFileURL(INDEX).href)})
  const [socket, admin] = process.argv.slice(-2)
  const opens = (path) => new Promise((resolve) => createConnection(path)
    .once('connect', function () { this.destroy(); resolve('open') }).once('error', ({ code }) => resolve(code)))
  const refused = (call) => call.then(() => 'done', ({ code, message }) => [code, message])
  const system = await connect(socket)
  const called = (await system.execute_plugin('echoes', 'echo', 'hello', { workspace: process.cwd() })).result
  const reload = await refused(system.reload_plugin('echoes'))
  const audit = await refused(system.get_audit_log())
  const history = (await system.get_execution_history()).length
  await system.shutdown()
  console.log(JSON.stringify({ called, reload, audit, history, admin: await opens(admin), uid: process.getuid() }))
`

interface Answers {
  readonly called: string
  readonly reload: [string, string] | string
  readonly audit: [string, string] | string
  readonly history: number
  readonly admin: string
  readonly uid: number
}

describe('a socket that is opened to a group', () => {
  let daemon: TestDaemon
  const user = ordinaryUser()
  const group = user.prefix.find((word) => word.startsWith('--regid='))!.slice('--regid='.length)

  before(async function () {
    if (process.getuid?.() !== 0) skipBecause.call(this, 'only root can become another user')
    const why = whyNotReadable(user, INDEX)
    if (why !== null) skipBecause.call(this, why)
    makeTemporary(user)
    const config = `daemon:\n  socket_mode: "0660"\n  socket_group: "${group}"\n`
    daemon = await TestDaemon.start({ plugins: ['echoes'], config })
  })
  after(async () => {
    await daemon?.stop()
    removeTemporary(user)
  })

  it("has that mode and group, and the operators' one has not", () => {
    const found = [daemon.socketPath, daemon.adminSocketPath].map((file) => {
      const { mode, gid } = fs.statSync(file)
      return [mode & 0o777, gid]
    })
    expect(found).to.deep.equal([
      [0o660, Number(group)],
      [0o600, process.getgid?.()],
    ])
  })

  it('lets a member of it run plugins and change nothing, in words', async () => {
    const { called, reload, audit, history, admin, uid } = await asUser()
    expect([called, admin, uid, history]).to.deep.equal(['hello', 'EACCES', Number(group), 1])
    for (const [code, message] of [reload, audit]) {
      expect(code).to.equal('PERMISSION_DENIED')
      expect(message)
        .to.include(`uid ${uid} may not open "${daemon.adminSocketPath}"`)
        .and.to.include("uid 0's with mode 0600")
    }
  })

  it('records who of them asked the wrong socket', async function () {
    const script = `
      import { createConnection } from 'node:net'
      const socket = createConnection(process.argv.at(-1))
      socket.on('data', () => socket.destroy())
      socket.write('{"jsonrpc":"2.0","id":1,"method":"unload_plugin","params":{"plugin_id":"echoes"}}\\n')`
    await runAsUser(script, [daemon.socketPath])
    const [denied] = await daemon.system.get_audit_log({ action: 'method.denied', limit: 1 })
    expect(denied).to.deep.include({ plugin_id: 'echoes', outcome: 'refused' })
    if (denied?.actor?.uid === null) skipBecause.call(this, 'this Node can not ask the kernel who a peer is')
    expect(denied?.actor).to.deep.include({ uid: Number(group), gid: Number(group) })
  })

  async function asUser(): Promise<Answers> {
    return JSON.parse(await runAsUser(APPLICATION, [daemon.socketPath, daemon.adminSocketPath])) as Answers
  }

  async function runAsUser(script: string, args: readonly string[]): Promise<string> {
    const [file = '', ...prefix] = user.prefix
    const command = [...prefix, process.execPath, '--input-type=module', '-e', script, ...args]
    const options = { cwd: daemon.world.folder, env: { ...process.env, TMPDIR: user.temporary } }
    return (await promisify(execFile)(file, command, options)).stdout
  }
})

describe('whoever started a private daemon', () => {
  it('is its operator, and the daemon ends with the goodbye on both sockets', async () => {
    const world = new World({ plugins: ['echoes'] })
    try {
      const system = await world.attach()
      const { pid } = await system.get_status()
      expect((await system.get_plugin_logs()).length).to.be.at.least(0)
      await system.update_plugin_config('echoes', { verbose: true })
      const { clients } = await system.get_status()
      expect(clients, 'one connection for each role').to.equal(2)
      await system.shutdown()
      expect(isAlive(pid), 'shutdown() settles when the daemon is gone').to.equal(false)
      expect(fs.existsSync(world.path('.phantom/plugins/phantom-admin.sock'))).to.equal(false)
      const lines = fs.readFileSync(world.path('.phantom/plugins/audit.jsonl'), 'utf8').trimEnd().split('\n')
      const records = lines.map((line) => JSON.parse(line) as AuditRecord)
      expect(records[0]?.action).to.equal('daemon.started')
      expect(records.at(-1)?.action).to.equal('daemon.stopped')
    } finally {
      world.remove()
    }
  })

  it('gets a new connection as operator where the old one broke', async () => {
    const daemon = await TestDaemon.start({ plugins: ['echoes'] })
    try {
      await daemon.system.get_plugin_logs()
      const operator = await daemon.connectOperator()
      operator.send('x'.repeat(17 * 1024 * 1024))
      await until(() => operator.isClosed, 'the daemon to refuse it')
      expect(await daemon.system.get_generations('echoes')).to.have.length(1)
      const refused = await daemon.system.get_audit_log({ action: 'client.refused' })
      expect(refused).to.have.length(1)
    } finally {
      await daemon.stop()
    }
  })

  it('gets in as operator when applications hold every place of theirs', async () => {
    const daemon = await TestDaemon.start({ plugins: ['echoes'], config: 'limits:\n  max_clients: 2\n' })
    try {
      await daemon.connect()
      const refused = await RawClient.open(daemon.socketPath)
      await refused.closed
      const operator = await daemon.connectOperator()
      expect((await operator.request('get_generations', { plugin_id: 'echoes' })).error).to.equal(undefined)
      const records = await daemon.system.get_audit_log({ action: 'client.refused' })
      expect(records[0]?.details).to.deep.equal({ reason: 'there are 2 already' })
    } finally {
      await daemon.stop()
    }
  })

  it('is told by the log which folders keep others from a socket that is opened to them', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['echoes'],
      config: 'daemon:\n  socket_mode: "0666"\n',
      prepare: ({ folder }) => fs.chmodSync(folder, 0o700),
    })
    try {
      const log = daemon.world.path('.phantom/plugins/logs/daemon.log')
      await until(() => fs.readFileSync(log, 'utf8').includes('keep them out'), 'the warning')
      expect(fs.readFileSync(log, 'utf8')).to.include(JSON.stringify(daemon.world.folder))
      const { mode } = fs.statSync(daemon.world.path('.phantom/plugins'))
      expect(mode & 0o777, 'a way through, and no look').to.equal(0o711)
    } finally {
      await daemon.stop()
    }
  })

  it('is told so where the group of the configuration is not there', async () => {
    const world = new World({ config: 'daemon:\n  socket_group: no-such-group\n' })
    try {
      const { code, message } = await refusalOf(world.attach())
      expect(code).to.equal('CONFIG_INVALID')
      expect(message).to.include('"no-such-group"').and.to.include('/etc/group')
    } finally {
      world.remove()
    }
  })
})
