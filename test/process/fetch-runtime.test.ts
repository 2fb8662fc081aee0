import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { expect } from 'chai'
import { homeFor, NpmRegistry, packPinnedNode, pinnedHere } from '../helpers/npm-registry.ts'
import { skipBecause } from '../helpers/skip.ts'
import { tarballOf } from '../helpers/tar.ts'

const DRIVER = path.join(import.meta.dirname, '../fixtures/runtime/fetch-runtime.ts')
const EVIL = tarballOf([
  { name: 'package/../../../../evil', body: 'x' },
  { name: 'package/bin/node', body: '#!/bin/sh\necho v26.10.0' },
  { name: 'package/LICENSE', body: 'MIT' },
])
const STALL_AFTER_BYTES = 1_000_000

interface Answer {
  readonly found?: { path: string; version: string }
  readonly code?: string
  readonly message?: string
  readonly details?: { reason: string }
  readonly aborted?: boolean
  readonly progress?: string
}

/** A process that fetches. */
class Fetcher {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly lines: Answer[] = []
  readonly ended: Promise<Answer>
  stderr = ''

  constructor(env: NodeJS.ProcessEnv, prefix: readonly string[] = []) {
    const [file, ...args] = [...prefix, process.execPath, DRIVER]
    this.child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    let text = ''
    this.child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\n')
      text = parts.pop() ?? ''
      this.lines.push(...parts.map((line) => JSON.parse(line) as Answer))
    })
    this.ended = once(this.child, 'close').then(() => this.lines.at(-1) ?? { message: this.stderr })
  }

  async says(progress: string): Promise<void> {
    while (!this.lines.some((line) => line.progress === progress)) await once(this.child.stdout, 'data')
  }
}

describe('fetching the private copy of Node', function () {
  this.timeout(90_000)

  let world = ''
  let real: Buffer | null = null
  const registries: NpmRegistry[] = []

  before(async function () {
    this.timeout(150_000)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-node-'))
    const tarball = await packPinnedNode(folder)
    if (tarball !== null) real = fs.readFileSync(tarball)
    fs.rmSync(folder, { recursive: true })
  })
  beforeEach(() => (world = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-fetch-'))))
  afterEach(async () => {
    for (const registry of registries.splice(0)) await registry.close()
    fs.rmSync(world, { recursive: true, force: true, maxRetries: 5 })
  })

  const data = (): string => path.join(world, 'data')
  const runtimes = (): string => path.join(data(), 'phantom-ml/runtimes')
  const entries = (): string[] => (fs.existsSync(runtimes()) ? fs.readdirSync(runtimes()) : [])

  async function registryOf(...served: Parameters<typeof NpmRegistry.open>): Promise<NpmRegistry> {
    const registry = await NpmRegistry.open(...served)
    registries.push(registry)
    return registry
  }

  /** A fresh user, whose npm talks to that registry once. */
  function userOf(registry: { url: string }, npmrc = '', more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      TMPDIR: process.env['TMPDIR'],
      PHANTOM_TEST_RUN: process.env['PHANTOM_TEST_RUN'],
      HOME: homeFor(registry, path.join(world, 'home'), npmrc),
      XDG_DATA_HOME: data(),
      npm_config_fetch_retries: '0',
      ...more,
    }
  }

  function needsReal(this: Mocha.Context): Buffer {
    return real ?? skipBecause.call(this, "npm has Node's package neither in its cache nor from its registry")
  }

  async function expectFailure(env: NodeJS.ProcessEnv, reason: string, words: RegExp): Promise<Answer> {
    const answer = await new Fetcher(env).ended
    expect(answer, JSON.stringify(answer)).to.include({ code: 'RUNTIME_NOT_FOUND' })
    expect(answer.details?.reason).to.equal(reason)
    expect(answer.message).to.match(words)
    expect(entries()).to.deep.equal([])
    return answer
  }

  it('asks the registry of the user, with the token of the user, and once', async function () {
    const registry = await registryOf({ tarball: needsReal.call(this) })
    const host = new URL(registry.url).host
    const env = userOf(registry, `//${host}/:_authToken=npm_testtoken\n`)
    const { found } = await new Fetcher(env).ended
    const file = path.join(runtimes(), pinnedHere().id, 'bin/node')
    expect(found).to.deep.equal({ path: file, version: process.versions.node })
    expect(fs.readFileSync(file).equals(fs.readFileSync(process.execPath))).to.equal(true)
    expect(fs.readdirSync(path.dirname(path.dirname(file))).toSorted()).to.deep.equal(['LICENSE', 'bin'])
    expect(entries()).to.deep.equal([pinnedHere().id])
    expect(new Set(registry.requests.map(({ authorization }) => authorization))).to.deep.equal(
      new Set(['Bearer npm_testtoken']),
    )
    expect((await new Fetcher(env).ended).found).to.deep.equal(found)
    expect(registry.downloads).to.equal(1)
    fs.rmSync(file)
    expect((await new Fetcher(env).ended).found).to.deep.equal(found)
    expect(fs.existsSync(file)).to.equal(true)
    expect(entries()).to.deep.equal([pinnedHere().id])
  })

  it('lets one of two fetch, and both have it', async function () {
    const registry = await registryOf({ tarball: needsReal.call(this) })
    const env = userOf(registry)
    const both = await Promise.all([new Fetcher(env).ended, new Fetcher(env).ended])
    expect(both.map(({ found }) => found?.version)).to.deep.equal([
      pinnedHere().version,
      pinnedHere().version,
    ])
    expect(registry.downloads).to.equal(1)
    expect(entries()).to.deep.equal([pinnedHere().id])
  })

  it('is done by the next one after it was killed in the middle, which removes what was left', async function () {
    const tarball = needsReal.call(this)
    const stalling = await registryOf({ tarball, stallsAfterBytes: STALL_AFTER_BYTES })
    const killed = new Fetcher(userOf(stalling))
    await stalling.stalled
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
    const left = entries()
    expect(left).to.have.length(1)
    expect(left[0]).to.match(/^\.fetching-/)
    await stalling.close()
    const next = await new Fetcher(userOf(await registryOf({ tarball }))).ended
    expect(next.found?.version).to.equal(pinnedHere().version)
    expect(entries()).to.deep.equal([pinnedHere().id])
  })

  it('waits for another that lives, and takes over when that is gone', async function () {
    const tarball = needsReal.call(this)
    const stalling = await registryOf({ tarball, stallsAfterBytes: STALL_AFTER_BYTES })
    const first = new Fetcher(userOf(stalling))
    await stalling.stalled
    const registry = await registryOf({ tarball })
    const second = new Fetcher({ ...userOf(registry), npm_config_registry: registry.url })
    await second.says('another process fetches it')
    expect(registry.requests).to.deep.equal([])
    first.child.kill('SIGTERM')
    expect(await first.ended).to.deep.equal({ aborted: true })
    expect((await second.ended).found?.version).to.equal(pinnedHere().version)
    expect(entries()).to.deep.equal([pinnedHere().id])
  })

  it('refuses what is not the pinned package before it looks into it, and names both digests', async () => {
    const registry = await registryOf({ tarball: EVIL })
    const words = /expected sha512-.{88}, found sha512-.{88}\. Nothing of it was kept/
    const { message } = await expectFailure(userOf(registry), 'digest', words)
    expect(message).to.include(pinnedHere().integrity)
    expect(fs.existsSync(path.join(world, 'evil'))).to.equal(false)
  })

  it('has nothing of an npm that is not on PATH, and then asks the registry itself', async function () {
    const registry = await registryOf({ tarball: needsReal.call(this) })
    const env = userOf(registry, '', { PATH: world, npm_config_registry: registry.url })
    expect((await new Fetcher(env).ended).found?.version).to.equal(pinnedHere().version)
    expect(registry.requests.map((request) => request.path.split('/-/')[1] ?? 'asks')).to.have.length(1)
  })

  it('checks that digest, too, and says so where a proxy would be needed', async () => {
    const registry = await registryOf({ tarball: EVIL })
    const env = userOf(registry, '', { PATH: world, npm_config_registry: registry.url })
    await expectFailure(env, 'digest', /expected sha512-.*found sha512-/)
    const proxied = { ...env, HTTPS_PROXY: 'http://user:hunter2@127.0.0.1:9' }
    const { message } = await expectFailure(proxied, 'proxy', /HTTPS_PROXY names a proxy.*npm is not on PATH/)
    expect(message).to.not.include('hunter2')
  })

  it('reads no .npmrc of the folder in which it runs', async () => {
    const registry = await registryOf({ tarball: EVIL })
    const foreign = await registryOf({ tarball: EVIL })
    const project = homeFor(foreign, path.join(world, 'project'))
    fs.writeFileSync(path.join(project, 'package.json'), '{}')
    const env = userOf(registry, '', { XDG_DATA_HOME: path.join(project, 'data') })
    const answer = await new Fetcher(env).ended
    expect(answer.details?.reason).to.equal('digest')
    expect(foreign.requests).to.deep.equal([])
    expect(registry.downloads).to.equal(1)
  })

  it('says that nobody answers, that npm is offline, that the registry has no such package or asks who one is', async () => {
    const closed = await registryOf({ tarball: EVIL })
    await closed.close()
    await expectFailure(userOf(closed), 'offline', /ECONNREFUSED.*Go online/)
    await expectFailure(userOf(closed, 'offline=true\n'), 'npm_offline', /unset its option "offline"/)
    const empty = await registryOf({ tarball: EVIL, status: 404 })
    await expectFailure(userOf(empty), 'not_in_registry', /404.*name one that does/)
    const closedDoor = await registryOf({ tarball: EVIL, status: 401 })
    await expectFailure(userOf(closedDoor), 'refused', /npm login/)
  })

  it("goes through the user's proxy, and names it when it refuses, without its password", async () => {
    const asked: (string | undefined)[] = []
    const proxy = http.createServer((request, response) => {
      asked.push(request.headers['proxy-authorization'])
      response.writeHead(407).end()
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = proxy.address() as AddressInfo
      const registry = { url: 'http://registry.invalid/' }
      const env = userOf(registry, `proxy=http://user:hunter2@127.0.0.1:${port}/\n`)
      const { message } = await expectFailure(env, 'proxy', /407.*Mend the proxy/)
      expect(asked).to.include(`Basic ${Buffer.from('user:hunter2').toString('base64')}`)
      expect(message).to.not.include('hunter2')
    } finally {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    }
  })

  it('says where there is no room, and where it may not write', async function () {
    const tarball = needsReal.call(this)
    const registry = await registryOf({ tarball })
    const small = path.join(world, 'small')
    fs.mkdirSync(small)
    const mount = ['unshare', '-m', '--propagation', 'private', 'sh', '-c']
    const script = 'mount -t tmpfs -o size=80m tmpfs "$0" && exec "$@"'
    const prefix = [...mount, script, small]
    if (spawnSync(prefix[0] ?? '', [...prefix.slice(1), 'true']).status !== 0)
      skipBecause.call(this, 'only root can mount a small disk here')
    const env = userOf(registry, '', { XDG_DATA_HOME: small })
    const answer = await new Fetcher(env, prefix).ended
    expect(answer.details?.reason, JSON.stringify(answer)).to.equal('disk_full')
    expect(answer.message).to.match(/no room is left in .*Make room/)
    fs.writeFileSync(path.join(world, 'file'), '')
    const nowhere = await new Fetcher(userOf(registry, '', { XDG_DATA_HOME: path.join(world, 'file') })).ended
    expect(nowhere.message).to.match(/^Cannot keep Node .*ENOTDIR.*XDG_DATA_HOME/)
  })
})
