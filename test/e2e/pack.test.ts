import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { homeFor, NpmRegistry, packPinnedNode, pinnedHere } from '../helpers/npm-registry.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const PINNED_NODE = path.join(ROOT, 'node_modules/node/bin/node')
const OLDEST_MAJOR = 20
const RUNTIME_MAJOR = 26

/** What an application writes, types and all: the specification's two imports, and a call of a built-in plugin. */
const CONSUMER = `
import { connect, create_plugin_system, PhantomError, PluginSystemApi, type PluginExecutionResult } from '@phantom-ml/core'
import { definePlugin, type PluginDefinition } from '@phantom-ml/core/plugin'

const plugin: PluginDefinition = definePlugin({ operations: { echo: (input: unknown) => input } })
const attach: (socket?: string) => Promise<PluginSystemApi> = connect

// @ts-expect-error: the operation's name must be a string
const wrong = (system: PluginSystemApi) => system.execute_plugin('data_processor', 7)

const system = await create_plugin_system('./plugins', 'development')
try {
  const result: PluginExecutionResult = await system.execute_plugin('data_processor', 'process_pipeline', {
    data: [{ age: 17 }, { age: 30 }],
    pipeline: [{ operation_type: 'Filter', operation_name: 'range', parameters: { field: 'age', min: 18, max: 65 } }],
  })
  const failure = await system.get_plugin_info('nobody').catch((error: unknown) => error)
  console.log(JSON.stringify({
    success: result.success,
    rows: JSON.stringify(result.result).includes('30'),
    code: failure instanceof PhantomError ? failure.code : String(failure),
    operations: Object.keys(plugin.operations),
    types: [typeof attach, typeof wrong, system instanceof PluginSystemApi],
  }))
} finally {
  await system.shutdown()
}
`
const CONSUMER_OUTPUT = {
  success: true,
  rows: true,
  code: 'PLUGIN_NOT_FOUND',
  operations: ['echo'],
  types: ['function', 'function', true],
}

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

const PACKED = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'config/default.yaml',
  'dist/THIRD_PARTY_LICENSES.txt',
  'dist/host/main.js',
  'dist/host/validation/schema-worker.js',
  'dist/host/worker.js',
  'dist/sandbox-runner/main.cjs',
  'dist/sandbox-runner/runner.cjs',
  'dist/sandbox-runner/sdk.mjs',
  'dist/selftest/index.js',
  'dist/src/cli/launcher.js',
  'dist/types/src/index.d.ts',
  'plugins/data_processor/dist/index.js',
  'plugins/data_processor/plugin.toml',
  'plugins/data_processor/schemas/process-pipeline.json',
  'sandbox-runner/wasm/sdk/assemblyscript/README.md',
  'sandbox-runner/wasm/sdk/assemblyscript/phantom.ts',
  'sandbox-runner/wasm/sdk/c/phantom.c',
  'sandbox-runner/wasm/sdk/c/phantom.h',
]
/** Authors copy it into their projects and compile it there. */
const GUEST_SDKS = 'sandbox-runner/wasm/sdk/'

const run = promisify(execFile)

interface Consumer {
  readonly folder: string
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly installOutput: string
}

describe('the packed package', function () {
  this.timeout(120_000)

  let folder: string
  let tarball: string

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-pack-'))
    // A root daemon's runners have another uid, and where no mounts are allowed they read the package as it lies.
    fs.chmodSync(folder, 0o755)
    await run(PINNED_NODE, ['.scripts/build.mjs'], { cwd: ROOT })
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      { cwd: ROOT },
    )
    const [packed] = JSON.parse(stdout) as [{ filename: string }]
    tarball = path.join(folder, packed.filename)
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('holds what it promises and none of the sources', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball])
    const files = stdout
      .trim()
      .split('\n')
      .map((file) => file.replace(/^package\//, ''))
    expect(
      PACKED.filter((file) => !files.includes(file)),
      'missing',
    ).to.deep.equal([])
    const ours = files.filter((file) => !file.startsWith(GUEST_SDKS))
    const sources = ours.filter((file) =>
      /(?<!\.d)\.ts$|\.map$|\.tmp$|^(src|host|sandbox-runner|test|bench|docs)\//.test(file),
    )
    expect(sources).to.deep.equal([])
  })

  it('has nothing to say to publint', async () => {
    const { stdout } = await run(bin('publint'), ['run', tarball, '--strict'], { cwd: ROOT })
    expect(stdout).to.contain('All good!')
  })

  it('has types that every module resolution of ES modules finds', async () => {
    // Exits with 1 on any problem of the profile.
    await run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-color'], { cwd: ROOT })
  })

  describe(`under Node ${RUNTIME_MAJOR}`, () => {
    let consumer: Consumer

    before(async () => (consumer = await install('consumer26', PINNED_NODE)))

    it('installs without a warning, and brings phantom and nothing else', () => expectCleanInstall(consumer))

    it('runs the command', async () => {
      const { stdout, stderr } = await phantom(consumer, ['--version'])
      expect({ stdout, stderr }).to.deep.equal({ stdout: `${packageVersion()}\n`, stderr: '' })
    })

    it('attacks the sandbox of the machine with the plugins that it brings', async () => {
      const { stdout } = await phantom(consumer, [
        'selftest',
        '--only',
        'files-absolute',
        '--only',
        'files-granted',
      ])
      expect(stdout).to.match(/isolation (namespace|process): 2 held/)
    })

    it('type-checks in a strict project that checks libraries too, and runs', async () => {
      await compile(consumer)
      expect(await runConsumer(consumer)).to.deep.equal(CONSUMER_OUTPUT)
    })

    it('brings the proxy through which a plugin reaches a granted host', async function () {
      const server = http.createServer((_, response) => response.end('hello'))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      try {
        const { port } = server.address() as AddressInfo
        const { tier, result } = await reach(consumer, port)
        if (tier !== 'namespace')
          skipBecause.call(this, 'without a network namespace nobody is granted the network')
        expect(result).to.equal('hello')
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })
  })

  describe(`under Node ${OLDEST_MAJOR}`, () => {
    let consumer: Consumer

    before(async function () {
      const oldNode = findNode(OLDEST_MAJOR)
      if (oldNode === undefined) return skipBecause.call(this, `no Node ${OLDEST_MAJOR} on PATH`)
      consumer = await install('consumer20', oldNode)
    })

    it('installs without a warning, and brings phantom and nothing else', () => expectCleanInstall(consumer))

    it('says its version, and fetches nothing for that', async () => {
      const { stdout, stderr } = await phantom(consumer, ['--version'])
      expect({ stdout, stderr }).to.deep.equal({ stdout: `${packageVersion()}\n`, stderr: '' })
    })

    it('says which Node a command needs where none may be fetched', async () => {
      const forbidden = { ...consumer, env: { ...consumer.env, PHANTOM_FETCH_RUNTIME: 'false' } }
      const failure = await phantom(forbidden, ['list']).catch((error: unknown) => error)
      expect(failure).to.include({ code: 7, stdout: '' })
      const { stderr } = failure as { stderr: string }
      expect(stderr).to.match(/^Cannot start .*Node 26 or newer is needed.*phantom setup.*PHANTOM_RUNTIME=/)
    })

    describe('where no newer Node is', () => {
      let registry: NpmRegistry | null = null

      before(async function () {
        const packed = await packPinnedNode(folder)
        if (packed === null)
          return skipBecause.call(this, "npm has Node's package neither in its cache nor from its registry")
        registry = await NpmRegistry.open({ tarball: fs.readFileSync(packed) })
      })
      after(async () => await registry?.close())

      /** With a home of its own that nobody else may look into, and npm set to that registry. */
      function asNewUser(name: string): Consumer {
        if (registry === null) throw new Error('No registry is there')
        const home = homeFor(registry, path.join(folder, name))
        fs.chmodSync(home, 0o700)
        return { ...consumer, env: { ...consumer.env, HOME: home } }
      }

      it('fetches the pinned one at the first use, and runs a plugin on it in the sandbox', async () => {
        const user = asNewUser('home-of-the-command')
        const downloads = registry?.downloads ?? 0
        const first = await phantom(user, [...PIPELINE, '--json'])
        const answer = JSON.parse(first.stdout) as { success: boolean; result: unknown }
        expect(answer.success).to.equal(true)
        expect(JSON.stringify(answer.result)).to.include('30').and.not.include('17')
        expect(first.stderr).to.equal('')
        const second = await phantom(user, PIPELINE)
        expect(second.stderr).to.equal('')
        const { stdout } = await phantom(user, ['doctor', '--json']).catch(
          (error: { stdout: string }) => error,
        )
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

      it('says to a person what it does, and leaves nothing when it is removed', async () => {
        const user = asNewUser('home-of-a-person')
        const { stdout, stderr } = await phantom(user, ['setup'])
        expect(stdout).to.match(/^✓ runtime: Node 26\.\d+\.\d+, .*: the private copy that was fetched/)
        expect(stderr).to.match(/^Plugins run on Node 26\.\d+\.\d+: fetching it once .*\n$/)
        await phantom(user, ['setup', '--remove-runtime'])
        expect(fs.readdirSync(path.join(user.env['HOME'] ?? '', '.local/share'))).to.deep.equal([])
      })

      it('fetches it for an application, too, which gets a warning about it once', async () => {
        const user = asNewUser('home-of-an-application')
        await compile(user)
        const node = path.join(user.folder, 'binaries/node')
        const { stdout, stderr } = await run(node, ['consumer.js'], { cwd: user.folder, env: user.env })
        expect(JSON.parse(stdout)).to.deep.equal(CONSUMER_OUTPUT)
        expect(stderr.match(/PhantomRuntime: fetching Node 26/g)).to.have.length(1)
        expect(await runConsumer(user)).to.deep.equal(CONSUMER_OUTPUT)
      })
    })

    it('fetches it from the real registry, as npm is configured here', async function () {
      const home = fs.mkdtempSync(path.join(folder, 'home-'))
      const npmrc = path.join(os.homedir(), '.npmrc')
      if (fs.existsSync(npmrc)) fs.copyFileSync(npmrc, path.join(home, '.npmrc'))
      const user = { ...consumer, env: { ...npmVariables(), ...consumer.env, HOME: home } }
      const failure = await phantom(user, ['setup', '--json']).catch((error: { stderr: string }) => error)
      const reason = /"reason":"(\w+)"/.exec(failure.stderr)?.[1] ?? null
      if (reason === 'offline' || reason === 'npm_offline' || reason === 'proxy')
        skipBecause.call(this, `npm's registry cannot be reached (${reason})`)
      expect(reason, failure.stderr).to.equal(null)
      const copy = path.join(home, '.local/share/phantom-ml/runtimes', pinnedHere().id, 'bin/node')
      expect(fs.readFileSync(copy).equals(fs.readFileSync(PINNED_NODE))).to.equal(true)
    })

    it('runs the command on the newer Node that it is shown', async () => {
      const { stdout, stderr } = await phantom(withRuntime(consumer), ['--version'])
      expect({ stdout, stderr }).to.deep.equal({ stdout: `${packageVersion()}\n`, stderr: '' })
    })

    it('type-checks in a strict project that checks libraries too, and runs', async () => {
      await compile(consumer)
      expect(await runConsumer(withRuntime(consumer))).to.deep.equal(CONSUMER_OUTPUT)
    })
  })

  /** An empty project that finds that Node first and none that is newer, without this machine's npm configuration. */
  async function install(name: string, node: string): Promise<Consumer> {
    const consumer = path.join(folder, name)
    const binaries = path.join(consumer, 'binaries')
    fs.mkdirSync(path.join(consumer, 'plugins'), { recursive: true })
    fs.mkdirSync(binaries)
    fs.symlinkSync(node, path.join(binaries, 'node'))
    fs.writeFileSync(path.join(consumer, 'package.json'), '{ "private": true, "type": "module" }\n')
    const env = {
      PATH: [binaries, ...foldersWithoutRuntime()].join(path.delimiter),
      HOME: consumer,
      TMPDIR: os.tmpdir(),
      ...markerOf(),
    }
    const args = [npmCli(), 'install', tarball, '--offline', '--userconfig', path.join(consumer, '.npmrc')]
    const { stdout, stderr } = await run(node, args, { cwd: consumer, env })
    return { folder: consumer, env, installOutput: stdout + stderr }
  }

  function expectCleanInstall({ folder: consumer, installOutput }: Consumer): void {
    expect(installOutput).to.not.match(/warn|error|deprecated/i)
    expect(fs.readdirSync(path.join(consumer, 'node_modules/.bin'))).to.deep.equal(['phantom'])
    const visible = fs
      .readdirSync(path.join(consumer, 'node_modules'))
      .filter((entry) => !entry.startsWith('.'))
    expect(visible).to.deep.equal(['@phantom-ml'])
    expect(fs.existsSync(path.join(consumer, 'node_modules/@phantom-ml/core/node_modules'))).to.equal(false)
  }

  async function compile({ folder: consumer }: Consumer): Promise<void> {
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
    }
    fs.writeFileSync(
      path.join(consumer, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.ts'] }),
    )
    fs.writeFileSync(path.join(consumer, 'consumer.ts'), CONSUMER)
    const { stdout } = await run(bin('tsc'), ['-p', consumer], { cwd: consumer }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).to.equal('')
  }
})

const REACHING = `
import { create_plugin_system } from '@phantom-ml/core'
const system = await create_plugin_system('./reaching', 'development')
try {
  const { tier } = await system.get_status()
  const { digest } = await system.get_permissions('reaches')
  await system.approve_plugin('reaches', digest)
  const { result, error } = await system.execute_plugin('reaches', 'reach').catch((error) => ({ error: error.message }))
  console.log(JSON.stringify({ tier, result: result ?? error }))
} finally {
  await system.shutdown()
}
`

/** What a plugin of the consumer gets from a server on this machine that it was granted. */
async function reach({ folder, env }: Consumer, port: number): Promise<{ tier: string; result: string }> {
  const plugin = path.join(folder, 'reaching/reaches')
  fs.mkdirSync(plugin, { recursive: true })
  fs.writeFileSync(
    path.join(plugin, 'plugin.toml'),
    manifestText('reaches', `[permissions]\npermissions = ["network:127.0.0.1:${port}"]\n`),
  )
  const code = `export default { operations: { reach: async () => (await fetch('http://127.0.0.1:${port}/')).text() } }\n`
  fs.writeFileSync(path.join(plugin, 'index.js'), code)
  fs.writeFileSync(path.join(folder, 'reaching.js'), REACHING)
  const { stdout } = await run(path.join(folder, 'binaries/node'), ['reaching.js'], { cwd: folder, env })
  return JSON.parse(stdout) as { tier: string; result: string }
}

async function runConsumer({ folder, env }: Consumer): Promise<unknown> {
  const { stdout, stderr } = await run(path.join(folder, 'binaries/node'), ['consumer.js'], {
    cwd: folder,
    env,
  })
  expect(stderr).to.equal('')
  return JSON.parse(stdout)
}

/** As a shell would: by its `#!` line, with the PATH of the project. */
function phantom(
  { folder, env }: Consumer,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  return run(path.join(folder, 'node_modules/.bin/phantom'), args, { cwd: folder, env })
}

function withRuntime(consumer: Consumer): Consumer {
  return { ...consumer, env: { ...consumer.env, PHANTOM_RUNTIME: PINNED_NODE } }
}

/** How npm is told here, beside its files, where registry and proxy are. */
function npmVariables(): NodeJS.ProcessEnv {
  const wanted =
    /^(npm_config_.*(registry|proxy|cafile|authtoken).*|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)))
}

/** So that a daemon left behind by the consumer is found. */
function markerOf(): Record<string, string> {
  return { PHANTOM_TEST_RUN: process.env['PHANTOM_TEST_RUN'] ?? '' }
}

function bin(name: string): string {
  return path.join(ROOT, 'node_modules/.bin', name)
}

function packageVersion(): string {
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** npm's own script, so that it runs on the Node that is asked for. */
function npmCli(): string {
  const npm = findOnPath('npm')
  if (npm === undefined)
    throw new Error('Cannot find npm on PATH: the packed package is installed by it. Install npm')
  return fs.realpathSync(npm)
}

function findOnPath(name: string): string | undefined {
  return foldersOnPath()
    .map((folder) => path.join(folder, name))
    .find((file) => fs.existsSync(file))
}

function findNode(major: number): string | undefined {
  return foldersOnPath()
    .map((folder) => path.join(folder, 'node'))
    .find((file) => majorOf(file) === major)
}

function foldersWithoutRuntime(): string[] {
  return foldersOnPath().filter((folder) => !(majorOf(path.join(folder, 'node')) >= RUNTIME_MAJOR))
}

/** NaN where there is no Node. */
function majorOf(file: string): number {
  if (!fs.existsSync(file)) return Number.NaN
  return Number.parseInt(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout.slice(1), 10)
}

function foldersOnPath(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter)
}
