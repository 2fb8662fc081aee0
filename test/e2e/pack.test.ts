import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import {
  bin,
  compile,
  CONSUMER_OUTPUT,
  findNode,
  installPackage,
  packPackage,
  phantom,
  PINNED_NODE,
  run,
  runConsumer,
  withRuntime,
  type Consumer,
} from '../helpers/packed-package.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const OLDEST_MAJOR = 20
const RUNTIME_MAJOR = 26

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
  'src/cli/scaffold/templates/javascript/gitignore',
  'src/cli/scaffold/templates/rust/.cargo/config.toml',
  'src/cli/scaffold/templates/typescript/package.json',
  'sandbox-runner/rust/Cargo.toml',
  'sandbox-runner/rust/src/lib.rs',
  'sandbox-runner/wasm/sdk/assemblyscript/README.md',
  'sandbox-runner/wasm/sdk/assemblyscript/phantom.ts',
  'sandbox-runner/wasm/sdk/c/phantom.c',
  'sandbox-runner/wasm/sdk/c/phantom.h',
]
/** Authors copy it into their projects, or name it in them, and compile it there; `phantom new` copies the templates. */
const SDK_SOURCES = /^(?:sandbox-runner\/(?:wasm\/sdk|rust)|src\/cli\/scaffold\/templates)\//

describe('the packed package', function () {
  this.timeout(120_000)

  let folder: string
  let tarball: string

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-pack-'))
    tarball = await packPackage(folder)
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
    const ours = files.filter((file) => !SDK_SOURCES.test(file))
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

    before(
      async () => (consumer = await installPackage(tarball, path.join(folder, 'consumer26'), PINNED_NODE)),
    )

    it('installs without a warning, and brings phantom and nothing else', () => expectCleanInstall(consumer))

    it('runs the command', async () => {
      const { stdout, stderr } = await phantom(consumer, ['--version'])
      expect({ stdout, stderr }).to.deep.equal({ stdout: `${packageVersion()}\n`, stderr: '' })
    })

    it('writes new plugins: one that runs, one with the crate that it brings, one with a copy of an SDK', async () => {
      await phantom(consumer, ['new', 'fresh'])
      const { stdout } = await phantom(consumer, ['run', 'fresh', 'greet', '--input', '{"name": "Ada"}'])
      expect(JSON.parse(stdout)).to.deep.equal({ message: 'Hello, Ada!' })
      await phantom(consumer, ['new', 'crated', '--type', 'rust'])
      const crated = path.join(consumer.folder, 'plugins/crated')
      const [, crate = ''] =
        /phantom_ml_core = \{ path = "(.*)" \}/.exec(
          fs.readFileSync(path.join(crated, 'Cargo.toml'), 'utf8'),
        ) ?? []
      expect(crate).to.match(/^\.\.\/\.\.\/node_modules\//)
      expect(fs.existsSync(path.join(crated, crate, 'src/lib.rs'))).to.equal(true)
      expect(fs.statSync(path.join(crated, 'build.sh')).mode & 0o111).to.not.equal(0)
      await phantom(consumer, ['new', 'copied', '--type', 'wasm-assemblyscript'])
      const sdk = fs.readdirSync(path.join(consumer.folder, 'plugins/copied/assembly/phantom'))
      expect(sdk).to.include.members(['phantom.ts', 'exports.ts']).and.not.include('README.md')
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
      consumer = await installPackage(tarball, path.join(folder, 'consumer20'), oldNode)
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

    it('runs the command on the newer Node that it is shown', async () => {
      const { stdout, stderr } = await phantom(withRuntime(consumer), ['list'])
      expect(stdout).to.include('data_processor')
      expect(stderr).to.equal('')
    })

    it('type-checks in a strict project that checks libraries too, and runs', async () => {
      await compile(consumer)
      expect(await runConsumer(withRuntime(consumer))).to.deep.equal(CONSUMER_OUTPUT)
    })
  })

  function expectCleanInstall({ folder: consumer, installOutput }: Consumer): void {
    expect(installOutput).to.not.match(/warn|error|deprecated/i)
    expect(fs.readdirSync(path.join(consumer, 'node_modules/.bin'))).to.deep.equal(['phantom'])
    const visible = fs
      .readdirSync(path.join(consumer, 'node_modules'))
      .filter((entry) => !entry.startsWith('.'))
    expect(visible).to.deep.equal(['@phantom-ml'])
    expect(fs.existsSync(path.join(consumer, 'node_modules/@phantom-ml/core/node_modules'))).to.equal(false)
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

function packageVersion(): string {
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}
