import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { homeFor, NpmRegistry, packPinnedNode, pinnedHere } from '../helpers/npm-registry.ts'
import {
  compile,
  CONSUMER_OUTPUT,
  findNode,
  installPackage,
  packPackage,
  phantom,
  PINNED_NODE,
  run,
  runConsumer,
  type Consumer,
} from '../helpers/packed-package.ts'
import { skipBecause } from '../helpers/skip.ts'

const OLD_MAJORS = [20, 22, 24]

/** A plugin of the package, by the command. */
const PIPELINE = [
  'run',
  'data_processor',
  'process_pipeline',
  '--input',
  JSON.stringify({
    data: [{ age: 17 }, { age: 30 }],
    pipeline: [
      { operation_type: 'Filter', operation_name: 'range', parameters: { field: 'age', min: 18, max: 65 } },
    ],
  }),
]

/** Where it is by default, but for root. */
function dataOf(home: string): string {
  return path.join(home, '.local/share')
}

describe('the packed package, where no Node is new enough for the daemon', function () {
  this.timeout(120_000)

  let folder: string
  let consumer: Consumer
  let registry: NpmRegistry | null = null

  before(async function () {
    const old = OLD_MAJORS.map(findNode).find((file) => file !== undefined)
    if (old === undefined) return skipBecause.call(this, 'no Node 20, 22 or 24 on PATH to install it under')
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-first-'))
    consumer = await installPackage(await packPackage(folder), path.join(folder, 'consumer'), old)
    const packed = await packPinnedNode(folder)
    if (packed !== null) registry = await NpmRegistry.open({ tarball: fs.readFileSync(packed) })
  })
  after(async () => {
    await registry?.close()
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true })
  })

  function needsRegistry(this: Mocha.Context): NpmRegistry {
    return (
      registry ?? skipBecause.call(this, "npm has Node's package neither in its cache nor from its registry")
    )
  }

  /** With a home of its own that nobody else may look into, and npm set to that registry. */
  function asNewUser(this: Mocha.Context, name: string): Consumer {
    const home = homeFor(needsRegistry.call(this), path.join(folder, name))
    fs.chmodSync(home, 0o700)
    return { ...consumer, env: { ...consumer.env, HOME: home, XDG_DATA_HOME: dataOf(home) } }
  }

  it('fetches the pinned one at the first use, and runs a plugin on it in the sandbox', async function () {
    const user = asNewUser.call(this, 'home-of-the-command')
    const downloads = registry?.downloads ?? 0
    const first = await phantom(user, [...PIPELINE, '--json'])
    const answer = JSON.parse(first.stdout) as { success: boolean; result: unknown }
    expect(answer.success).to.equal(true)
    expect(JSON.stringify(answer.result)).to.include('30').and.not.include('17')
    expect(first.stderr).to.equal('')
    const second = await phantom(user, PIPELINE)
    expect(second.stderr).to.equal('')
    const { stdout } = await phantom(user, ['doctor', '--json']).catch((error: { stdout: string }) => error)
    const { tier, runtime } = JSON.parse(stdout) as { tier: string; runtime: object }
    const copy = `.local/share/phantom-ml/runtimes/${pinnedHere().id}/bin/node`
    expect(runtime).to.deep.equal({
      path: path.join(user.env['HOME'] ?? '', copy),
      version: pinnedHere().version,
      source: 'private_copy',
    })
    expect(tier).to.be.oneOf(['namespace', 'process'])
    expect((registry?.downloads ?? 0) - downloads).to.equal(1)
  })

  it('says to a person what it does, and leaves nothing when it is removed', async function () {
    const user = asNewUser.call(this, 'home-of-a-person')
    const { stdout, stderr } = await phantom(user, ['setup'])
    expect(stdout).to.match(/^✓ runtime: Node 26\.\d+\.\d+, .*: the private copy that was fetched/)
    expect(stderr).to.match(/^Plugins run on Node 26\.\d+\.\d+: fetching it once .*\n$/)
    const copy = path.join(user.env['HOME'] ?? '', '.local/share/phantom-ml/runtimes', pinnedHere().id)
    fs.writeFileSync(path.join(copy, 'bin/node'), 'torn', { mode: 0o755 })
    const mended = await phantom(user, ['setup'])
    expect(mended.stderr).to.match(/^Plugins run on Node/)
    expect(mended.stdout).to.equal(stdout)
    await phantom(user, ['setup', '--remove-runtime'])
    expect(fs.readdirSync(path.join(user.env['HOME'] ?? '', '.local/share'))).to.deep.equal([])
  })

  it('ends by Ctrl-C in the middle, with its exit code, and leaves nothing', async () => {
    const stalling = await NpmRegistry.open({
      tarball: Buffer.alloc(2_000_000),
      stallsAfterBytes: 1_000_000,
    })
    try {
      const home = homeFor(stalling, path.join(folder, 'home-of-somebody-impatient'))
      const env = { ...consumer.env, HOME: home, XDG_DATA_HOME: dataOf(home) }
      const command = spawn(path.join(consumer.folder, 'node_modules/.bin/phantom'), ['list'], { env })
      await stalling.stalled
      command.kill('SIGINT')
      const [code] = (await once(command, 'close')) as [number | null]
      expect(code).to.equal(130)
      expect(fs.readdirSync(path.join(home, '.local/share/phantom-ml/runtimes'))).to.deep.equal([])
    } finally {
      await stalling.close()
    }
  })

  it('fetches it for an application, too, which gets a warning about it once', async function () {
    const user = asNewUser.call(this, 'home-of-an-application')
    await compile(user)
    const node = path.join(user.folder, 'binaries/node')
    const { stdout, stderr } = await run(node, ['consumer.js'], { cwd: user.folder, env: user.env })
    expect(JSON.parse(stdout)).to.deep.equal(CONSUMER_OUTPUT)
    expect(stderr.match(/PhantomRuntime: fetching Node 26/g)).to.have.length(1)
    expect(await runConsumer(user)).to.deep.equal(CONSUMER_OUTPUT)
  })

  it('fetches it from the real registry, as npm is configured here', async function () {
    const home = fs.mkdtempSync(path.join(folder, 'home-'))
    const npmrc = path.join(os.homedir(), '.npmrc')
    if (fs.existsSync(npmrc)) fs.copyFileSync(npmrc, path.join(home, '.npmrc'))
    const user = {
      ...consumer,
      env: { ...npmVariables(), ...consumer.env, HOME: home, XDG_DATA_HOME: dataOf(home) },
    }
    const failure = await phantom(user, ['setup', '--json']).catch((error: { stderr: string }) => error)
    const reason = /"reason":"(\w+)"/.exec(failure.stderr)?.[1] ?? null
    if (reason === 'offline' || reason === 'npm_offline' || reason === 'proxy')
      skipBecause.call(this, `npm's registry cannot be reached (${reason})`)
    expect(reason, failure.stderr).to.equal(null)
    const copy = path.join(home, '.local/share/phantom-ml/runtimes', pinnedHere().id, 'bin/node')
    expect(fs.readFileSync(copy).equals(fs.readFileSync(PINNED_NODE))).to.equal(true)
  })
})

/** How npm is told here, beside its files, where registry and proxy are. */
function npmVariables(): NodeJS.ProcessEnv {
  const wanted =
    /^(npm_config_.*(registry|proxy|cafile|authtoken).*|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)))
}
