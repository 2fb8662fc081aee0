import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import path from 'node:path'
import { expect } from 'chai'
import type { PluginExecutionResult } from '../../src/contract/execution.ts'
import { TestDaemon, until, type DaemonOptions } from '../helpers/daemon.ts'
import { NameServer } from '../helpers/name-server.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'
import { skipBecause } from '../helpers/skip.ts'

interface Answer {
  status: number
  body: string
}

const GUEST = path.resolve(import.meta.dirname, '../conformance/plugins/c/plugin.wasm')
const TLS = path.resolve(import.meta.dirname, '../fixtures/tls')
const CERTIFICATE = fs.readFileSync(path.join(TLS, 'certificate.pem'), 'utf8')

/** Servers on the loopback, of which plugins get told. */
class Servers {
  readonly seen: string[] = []
  readonly plain = http.createServer((request, response) => this.#answer(request, response))
  readonly secure = https.createServer(
    { key: fs.readFileSync(path.join(TLS, 'key.pem')), cert: CERTIFICATE },
    (request, response) => this.#answer(request, response),
  )
  port = 0
  tlsPort = 0

  async listen(): Promise<void> {
    this.port = await listen(this.plain)
    this.tlsPort = await listen(this.secure)
  }

  close(): void {
    for (const server of [this.plain, this.secure]) {
      server.closeAllConnections()
      server.close()
    }
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = request.url ?? ''
    this.seen.push(`${request.headers.host} ${url}`)
    if (url === '/away') response.writeHead(302, { location: 'http://evil.test/x' }).end()
    else if (url === '/endless') endless(response)
    else if (url !== '/never') response.end(`hello from ${url}`)
  }
}

function endless(response: http.ServerResponse): void {
  const chunk = Buffer.alloc(16 * 1024)
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', more)
  more()
}

function connectionsOf(server: net.Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count)))
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

function granted(
  id: string,
  permissions: readonly string[],
  more = '',
): NonNullable<DaemonOptions['prepare']> {
  return (world) => {
    const file = world.path('plugins', id, 'plugin.toml')
    const text = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(
      file,
      text.replace('permissions = []', `permissions = ${JSON.stringify(permissions)}\n${more}`),
    )
  }
}

describe('A plugin with a right to the network', () => {
  let servers: Servers
  let names: NameServer
  let daemon: TestDaemon
  let port: number

  const run = (operation: string, input: object, id = 'networker'): Promise<PluginExecutionResult<Answer>> =>
    daemon.call<Answer>(id, operation, input)

  before(async function () {
    servers = new Servers()
    await servers.listen()
    ;({ port } = servers)
    names = new NameServer({
      'api.test': [['127.0.0.1']],
      'moves.test': [['127.0.0.1'], ['169.254.169.254']],
      'inside.test': [['10.0.0.7']],
    })
    const server = await names.listen()
    const mine = [`127.0.0.1:${port}`, `127.0.0.1:${servers.tlsPort}`, 'api.test', `api.test:${port}`]
    const both = [...mine, `api.test:${servers.tlsPort}`, `moves.test:${port}`, 'inside.test', 'fixed.test']
    daemon = await TestDaemon.start({
      plugins: ['networker', 'networker as other', 'networker as closed', 'networker as beside'],
      config: `egress:\n  name_servers: ["${server}"]\n  resolve: ["fixed.test=192.168.7.7"]\n`,
      prepare: (world) => {
        granted('networker', [`network:${both.join(',')}`])(world)
        const rights = `[permissions]\npermissions = ["network:127.0.0.1:${port}"]\n`
        const files = wasmPlugin('wasm_networker', fs.readFileSync(GUEST), rights)
        for (const [name, content] of Object.entries(files)) world.write(name, content)
        granted('other', ['network:*.other.test'])(world)
        granted('beside', [`network:127.0.0.1:${port}`], '[runtime]\nconcurrency = 4')(world)
      },
    })
    const { tier } = await daemon.system.get_status()
    if (tier !== 'namespace')
      skipBecause.call(this, 'without a network namespace nobody is granted the network')
    // It names addresses inside, which nobody approves unasked.
    await daemon.approve('networker')
    await daemon.approve('beside')
    await daemon.approve('wasm_networker')
  })
  after(async () => {
    await daemon?.stop()
    servers.close()
    names.close()
  })

  it('reaches a granted host by fetch, node:http and node:https, none of them changed', async () => {
    for (const operation of ['fetch', 'http'])
      expect((await run(operation, { url: `http://127.0.0.1:${port}/a` })).result).to.deep.equal({
        status: 200,
        body: 'hello from /a',
      })
    const secure = { url: `https://127.0.0.1:${servers.tlsPort}/b`, ca: CERTIFICATE }
    const { result, network_requests: tunnels } = await run('https', secure)
    expect([result!.body, tunnels]).to.deep.equal(['hello from /b', 1])
  })

  it('reaches a granted name, which the daemon looks up and nobody in the sandbox can', async () => {
    servers.seen.length = 0
    const { result } = await run('fetch', { url: `http://API.test:${port}/` })
    expect(result).to.have.property('status', 200)
    expect(servers.seen).to.deep.equal([`api.test:${port} /`])
    const secure = { url: `https://api.test:${servers.tlsPort}/`, ca: CERTIFICATE }
    expect((await run('https', secure)).result).to.have.property('status', 200)
    expect((await run('lookup', { name: 'api.test' })).result).to.match(/EAI_AGAIN|ENOTFOUND/)
    expect((await run('resolve', { name: 'api.test' })).result).to.match(/ECONNREFUSED|EACCES|EPERM/)
  })

  it('has its requests counted by the host: plain ones and tunnels, for the call and in all', async () => {
    const { network_requests: many } = await run('fetch', { url: `http://127.0.0.1:${port}/`, times: 3 })
    expect(many).to.equal(3)
    expect((await run('environment', {})).network_requests).to.equal(0)
    const { plugins } = await daemon.system.get_metrics()
    const { network } = plugins.find(({ plugin_id: id }) => id === 'networker')!
    expect(network.requests).to.be.greaterThan(4)
    expect(network.connections).to.be.greaterThan(0)
    expect(network.bytes).to.be.greaterThan(100)
  })

  it('has figures of the process where calls run side by side', async () => {
    const url = `http://127.0.0.1:${port}/`
    const [one, other] = await Promise.all([
      run('fetch', { url, times: 20 }, 'beside'),
      run('fetch', { url, times: 20 }, 'beside'),
    ])
    for (const { metadata, network_requests: count } of [one, other]) {
      expect(metadata.figures).to.equal('process')
      expect(count).to.be.within(20, 40)
    }
  })

  it('is no less one in WebAssembly: by its host, counted and refused like any other', async () => {
    const fetched = await daemon.call('wasm_networker', 'fetch_url', { url: `http://127.0.0.1:${port}/w` })
    expect(fetched.result).to.deep.equal({ status: 200, text: 'hello from /w' })
    expect(fetched.network_requests).to.equal(1)
    const { code, details } = await daemon.refusal('wasm_networker', 'fetch_url', {
      url: 'https://evil.test/',
    })
    expect([code, details['missing']]).to.deep.equal(['PERMISSION_DENIED', ['network:evil.test']])
    const asked = await daemon.call('wasm_networker', 'fetch_url', {
      url: `http://127.0.0.1:${servers.tlsPort}/`,
    })
    expect(asked.warnings[0]).to.include(`network:127.0.0.1:${servers.tlsPort} is not granted`)
  })

  it('can connect nowhere by itself: not to the loopback, not to the world, not by UDP', async () => {
    expect((await run('raw', { host: '127.0.0.1', port })).result).to.equal('ECONNREFUSED')
    expect((await run('raw', { host: '127.0.0.1', port: servers.tlsPort })).result).to.equal('ECONNREFUSED')
    expect((await run('raw', { host: '192.0.2.1', port: 80 })).result).to.equal('ENETUNREACH')
    expect((await run('datagram', { host: '192.0.2.1', port: 53 })).result).to.match(
      /ENETUNREACH|EACCES|EPERM/,
    )
  })

  it('is told which permission is missing, and so is its caller when it fails of that', async () => {
    for (const [operation, url] of [
      ['fetch', 'https://evil.test/'],
      ['https', 'https://evil.test/'],
      ['json', 'http://evil.test/'],
    ] as const) {
      const { code, message, details } = await daemon.refusal('networker', operation, { url })
      expect([code, details['missing']], operation).to.deep.equal([
        'PERMISSION_DENIED',
        ['network:evil.test'],
      ])
      expect(message).to.include(
        'network:evil.test is not granted; to allow it add permissions = ["network:evil.test"]',
      )
    }
    const { result, warnings } = await run('fetch', { url: 'http://evil.test:8080/' })
    expect(result!.status).to.equal(403)
    expect(result!.body).to.include('"network:evil.test:8080"')
    expect(warnings[0]).to.include('network:evil.test:8080 is not granted')
  })

  it('fails of its own failure where a refusal was not the reason', async () => {
    const { success, error } = await run('fails_after', { url: 'https://evil.test/' })
    expect([success, error]).to.deep.equal([false, 'the report has no rows'])
    expect(await run('fails', {})).to.have.property('success', false)
  })

  it('reaches nothing inside by a granted name, wherever that leads, unless it names the address', async () => {
    for (const [url, missing] of [
      ['http://inside.test/', 'network:10.0.0.7:80'],
      ['http://fixed.test/', 'network:192.168.7.7:80'],
    ] as const) {
      const { details } = await daemon.refusal('networker', 'json', { url })
      expect(details['missing'], url).to.deep.equal([missing])
    }
    expect((await run('fetch', { url: `http://moves.test:${port}/` })).result).to.have.property('status', 200)
    await until(
      async () => (await run('fetch', { url: `http://moves.test:${port}/` })).result?.status === 403,
      'the name that moved to be refused',
    )
  })

  it('is refused the hop of a redirect that leads beyond its grants', async () => {
    const { result, warnings } = await run('fetch', { url: `http://127.0.0.1:${port}/away` })
    expect(result!.status).to.equal(403)
    expect(result!.body).to.include('"network:evil.test"')
    expect(warnings[0]).to.include('network:evil.test is not granted')
  })

  it('has a way out of its own: another plugin holds what it was granted, and one without has none', async () => {
    expect((await run('fetch', { url: `http://127.0.0.1:${port}/` }, 'other')).result).to.have.property(
      'status',
      403,
    )
    expect((await run('environment', {}, 'closed')).result).to.deep.equal({})
    const { code, details } = await daemon.refusal('closed', 'http', { url: `http://127.0.0.1:${port}/` })
    expect([code, details['kind']]).to.deep.equal(['PERMISSION_DENIED', 'network'])
  })

  it('has its refusals, and what it was let do, in the audit log', async () => {
    const { entries } = await readAudit(daemon)
    const refused = entries.find(
      ({ action, details }) =>
        action === 'egress.refused' && details['host'] === 'evil.test' && details['port'] === 443,
    )
    expect(refused?.details).to.include({ reason: 'not_granted', missing: 'network:evil.test' })
    process.kill(await daemon.pidOf('networker'), 'SIGKILL')
    await until(async () => {
      const { entries: later } = await readAudit(daemon)
      const allowed = later.find(({ action }) => action === 'egress.allowed')
      const { places, bytes } = (allowed?.details ?? {}) as { places?: object[]; bytes?: number }
      return places?.some((place) => (place as { host: string }).host === 'api.test') === true && bytes! > 100
    }, 'what was let through')
    await run('environment', {})
  })

  it('ends with its connections when it is killed in the middle of an answer', async () => {
    const broken = daemon.refusal('networker', 'fetch', { url: `http://127.0.0.1:${port}/endless` })
    await until(async () => (await connectionsOf(servers.plain)) > 0, 'the request to arrive')
    process.kill(await daemon.pidOf('networker'), 'SIGKILL')
    expect((await broken).code).to.equal('PLUGIN_CRASHED')
    await until(async () => (await connectionsOf(servers.plain)) === 0, 'its connections to end')
  })

  it('leaves no socket behind when its process ends', async () => {
    await run('environment', {})
    const { pid: daemonPid } = await daemon.system.get_status()
    const pid = await daemon.pidOf('networker')
    const listener = listenerOf(pid)
    expect(socketsOf(daemonPid)).to.include(listener)
    expect(socketsOf(pid), 'the plugin itself does not hold it').not.to.include(listener)
    process.kill(pid, 'SIGKILL')
    await until(() => !socketsOf(daemonPid).includes(listener), 'the socket where its proxy accepts to go')
    expect((await run('fetch', { url: `http://127.0.0.1:${port}/` })).result).to.have.property('status', 200)
  })
})

/** The socket that listens in the network of that process, as its descriptor would name it. */
function listenerOf(pid: number): string {
  const lines = fs.readFileSync(`/proc/${pid}/net/tcp`, 'latin1').split('\n')
  const found = lines.flatMap((line) => {
    const [, , , state, , , , , , inode] = line.trim().split(/\s+/)
    return state === '0A' ? [`socket:[${inode}]`] : []
  })
  expect(found).to.have.length(1)
  return found[0]!
}

function socketsOf(pid: number): string[] {
  return fs.readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [fs.readlinkSync(`/proc/${pid}/fd/${name}`)]
    } catch {
      // Closed meanwhile.
      return []
    }
  })
}

interface AuditEntry {
  action: string
  plugin_id: string | null
  details: Record<string, unknown>
}

/** What the daemon wrote so far: its lines are on the disk after a second at the latest. */
async function readAudit(daemon: TestDaemon): Promise<{ entries: AuditEntry[] }> {
  const { state_directory: state } = await daemon.system.get_status()
  let entries: AuditEntry[] = []
  await until(() => {
    const files = fs.readdirSync(state, { recursive: true, encoding: 'utf8' })
    const logs = files.filter((file) => /audit.*\.jsonl?$/.test(file))
    const lines = logs.flatMap((file) => fs.readFileSync(path.join(state, file), 'utf8').split('\n'))
    entries = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as AuditEntry)
    return entries.some(({ action }) => action === 'egress.refused')
  }, 'a refusal in the audit log')
  return { entries }
}

describe('Limits on the network', () => {
  let servers: Servers
  let daemon: TestDaemon

  /** `atLoad`: what its code does before it is ready. */
  async function start(limits: string, atLoad = ''): Promise<void> {
    const hosts = `network:127.0.0.1:${servers.port},127.0.0.1:${servers.tlsPort}`
    daemon = await TestDaemon.start({
      plugins: ['networker'],
      prepare: (world) => {
        granted('networker', [hosts], `[resource_limits]\n${limits}\n`)(world)
        fs.appendFileSync(world.path('plugins', 'networker', 'index.js'), `\n${atLoad}\n`)
      },
    })
    await daemon.approve('networker')
  }

  before(async function () {
    servers = new Servers()
    await servers.listen()
    await start('max_network_requests = 3')
    const { tier } = await daemon.system.get_status()
    await daemon.stop()
    if (tier !== 'namespace')
      skipBecause.call(this, 'without a network namespace nobody is granted the network')
  })
  afterEach(async () => await daemon.stop())
  after(() => servers.close())

  it('end a call that makes too many requests, and replace its process', async () => {
    await start('max_network_requests = 3')
    const url = `http://127.0.0.1:${servers.port}/`
    expect((await daemon.call('networker', 'fetch', { url, times: 3 })).network_requests).to.equal(3)
    const pid = await daemon.pidOf('networker')
    const { code, message, details } = await daemon.refusal('networker', 'fetch', { url, times: 100 })
    expect(code).to.equal('LIMIT_EXCEEDED')
    expect(details).to.deep.equal({ limit: 'max_network_requests', declared: 3, measured: 4 })
    expect(message).to.include('it made 4 requests, its limit max_network_requests is 3')
    expect((await daemon.call('networker', 'fetch', { url })).success).to.equal(true)
    expect(await daemon.pidOf('networker')).not.to.equal(pid)
    expect((await daemon.info('networker')).last_exit).to.have.property('class', 'resource_limit')
  })

  it('end a call that opens too many tunnels', async () => {
    await start('max_network_connections = 0')
    const secure = { url: `https://127.0.0.1:${servers.tlsPort}/`, ca: CERTIFICATE }
    const { details } = await daemon.refusal('networker', 'https', secure)
    expect(details).to.deep.equal({ limit: 'max_network_connections', declared: 0, measured: 1 })
  })

  it('end a call that moves too many bytes, before many more have passed', async () => {
    await start('max_network_bytes = 1000000')
    const { details } = await daemon.refusal('networker', 'fetch', {
      url: `http://127.0.0.1:${servers.port}/endless`,
    })
    expect(details).to.include({ limit: 'max_network_bytes', declared: 1_000_000 })
    expect(details['measured']).to.be.within(1_000_001, 1_200_000)
  })

  it('end a process that goes on without a call, too', async () => {
    await start('max_network_requests = 3')
    const url = `http://127.0.0.1:${servers.port}/`
    const before = servers.seen.length
    await daemon.call('networker', 'later', { url, times: 20 })
    await until(
      async () => (await daemon.info('networker')).last_exit?.class === 'resource_limit',
      'its process to end',
    )
    expect(servers.seen.length - before, 'requests that the server saw').to.equal(3)
    expect((await daemon.info('networker')).last_exit?.message).to.include(
      'it made 4 requests, its limit max_network_requests is 3',
    )
  })

  it('end a process that is over them before it is ready, and say so', async () => {
    await start(
      'max_network_requests = 3',
      `for (let at = 0; at < 9; at += 1) await fetch('http://127.0.0.1:${servers.port}/')`,
    )
    const { code, message, details } = await daemon.refusal('networker', 'raw')
    expect(code, message).to.equal('PLUGIN_START_FAILED')
    expect(details).to.deep.include({ limit: 'max_network_requests', declared: 3, measured: 4 })
    expect(message).to.include('it made 4 requests, its limit max_network_requests is 3')
  })

  it('leave a request alone whose answer never comes: its call has a deadline', async () => {
    await start('max_network_requests = 3')
    const never = { url: `http://127.0.0.1:${servers.port}/never` }
    const error = await daemon.refusal('networker', 'fetch', never, { timeout_ms: 300 })
    expect(error.code).to.equal('CALL_TIMEOUT')
    await until(async () => (await connectionsOf(servers.plain)) === 0, 'the connection to be given up')
  })
})
