import fs from 'node:fs'
import { resolve } from 'node:path'
import { expect } from 'chai'
import { refusalOf, TestDaemon } from '../helpers/daemon.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'

const GUEST = resolve(import.meta.dirname, '../conformance/plugins/c/plugin.wasm')
const NO_BUBBLEWRAP = { PHANTOM_BWRAP: '/nonexistent' }

describe('A machine without bubblewrap', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  afterEach(async () => {
    await daemon?.stop()
    daemon = null
  })

  it('refuses to start plugins where security.required_tier is namespace', async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes'],
      config: 'security:\n  required_tier: namespace\n',
      environment: NO_BUBBLEWRAP,
    })
    const error = await daemon.refusal('echoes', 'echo', 'here')
    expect(error.code).to.equal('SANDBOX_UNAVAILABLE')
    expect(error.message)
      .to.contain('required_tier')
      .and.to.contain('bubblewrap')
      .and.to.contain('phantom doctor')
    expect(await daemon.system.get_status()).to.deep.include({ tier: 'process', required_tier: 'namespace' })
    expect((await daemon.info('echoes')).instances).to.deep.equal([])
  })

  describe('with the default requirement', () => {
    let plain: TestDaemon

    before(async () => {
      plain = await TestDaemon.start({
        plugins: ['echoes', 'reaches-out', 'uses-its-grants', 'hoards-memory', 'blocks-its-thread'],
        files: {
          'data/given.txt': 'given',
          'secret.txt': 'secret',
          'alone.txt': 'a longer text',
          // As npm writes it: of the project, not of its plugins, whose modules are ES modules.
          'package.json': '{ "type": "commonjs" }',
          ...wasmPlugin(
            'in_wasm',
            fs.readFileSync(GUEST),
            '[permissions]\npermissions = ["fs_read:./data", "fs_write:./alone.txt"]\n',
          ),
        },
        environment: { ...NO_BUBBLEWRAP, GIVEN_TO_PLUGIN: 'given' },
        // A daemon of root gives its plugins other uids.
        prepare: (world) => fs.chmodSync(world.path('alone.txt'), 0o666),
      })
    })
    after(() => plain.stop())

    it('runs plugins in tier process and says so everywhere', async () => {
      expect((await plain.call('echoes', 'echo', 'here')).result).to.equal('here')
      expect((await plain.system.get_status()).tier).to.equal('process')
      expect((await plain.info('echoes')).instances[0]?.tier).to.equal('process')
      const report = await plain.system.get_doctor_report()
      expect(report.tier).to.equal('process')
      const missing = report.checks.find(({ name }) => name === 'bubblewrap')
      expect(missing?.ok).to.be.false
      expect(missing?.remedy).to.contain('apt-get install bubblewrap')
      const again = report.checks.filter(({ remedy }) => remedy?.includes('apt-get'))
      expect(again, 'said once').to.have.length(1)
    })

    it('names what it does not hold, wherever it names the tier', async () => {
      const { not_held: found } = await plain.system.get_status()
      expect(found.join()).to.include('no filter stands between a plugin and the kernel')
      expect((await plain.system.get_doctor_report()).not_held).to.deep.equal(found)
      expect((await plain.info('echoes')).notices.join()).to.include(
        'isolation is of tier process: what that does not hold, "phantom doctor" says',
      )
      const phantom = new CommandLine(plain.world.folder)
      expect(await phantom.said('status'))
        .to.include('Not held by tier process')
        .and.include(found[0])
    })

    it('opens nothing beside a workspace whose name Node would take for a pattern: there is no call in it', async () => {
      plain.world.write('w*x/data/given.txt', 'given')
      plain.world.write('wOTHERx/data/given.txt', 'not yours')
      const asked = { workspace: plain.world.path('w*x') }
      const beside = plain.world.path('wOTHERx/data/given.txt')
      const error = await refusalOf(plain.system.execute_plugin('uses_its_grants', 'read', beside, asked))
      expect(error.code).to.equal('WORKSPACE_DENIED')
    })

    it('loads ES modules of a plugin in a project of CommonJS, as behind mounts', async () => {
      expect(fs.existsSync(plain.world.path('plugins/echoes/package.json'))).to.equal(false)
      expect((await plain.call('echoes', 'echo', 'here')).result).to.equal('here')
    })

    it('gives a WebAssembly plugin the files that it was granted, and no other', async () => {
      const read = { path: 'data/given.txt' }
      expect((await plain.call('in_wasm', 'read_file', read)).result).to.deep.equal({ text: 'given' })
      const alone = { path: 'alone.txt' }
      expect((await plain.call('in_wasm', 'read_file', alone)).result).to.deep.equal({
        text: 'a longer text',
      })
      const written = await plain.call('in_wasm', 'write_file', { ...alone, text: 'short' })
      expect(written.error).to.equal(null)
      expect((await plain.call('in_wasm', 'read_file', alone)).result).to.deep.equal({ text: 'short' })
      for (const path of ['secret.txt', '/etc/passwd', '/proc/self/environ']) {
        const error = await plain.refusal('in_wasm', 'read_file', { path })
        expect(error.code, path).to.equal('PERMISSION_DENIED')
      }
    })

    it('still denies files that were not granted, in words, and gives those that were', async () => {
      expect((await plain.call('uses_its_grants', 'read', 'data/given.txt')).result).to.equal('given')
      const path = plain.world.path('secret.txt')
      const error = await plain.refusal('uses_its_grants', 'read', path)
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.message).to.contain('permissions = ["fs_read:./secret.txt"]')
    })

    it('still tells every denial in one sentence, also one that the plugin swallows', async () => {
      const expected: readonly [string, unknown, string][] = [
        ['read', '/etc/hostname', 'fs_read:/etc/hostname'],
        ['write', plain.world.path('new.txt'), 'fs_write:./new.txt'],
        ['program', 'ls', 'process'],
        ['fetch', 'https://api.example.org:8443/', 'network:api.example.org:8443'],
        ['sqlite', null, 'runtime:sqlite'],
      ]
      for (const [operation, input, missing] of expected) {
        const error = await plain.refusal('reaches_out', operation, input)
        expect(error.message).to.contain(`${missing} is not granted; to allow it add `)
        expect(error.details['missing']).to.deep.equal([missing])
      }
      const input = { way: 'read', input: plain.world.path('secret.txt') }
      const { warnings } = await plain.call('reaches_out', 'caught', input)
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.contain('fs_read:./secret.txt is not granted')
    })

    it('still keeps a data_dir', async () => {
      await plain.call('uses_its_grants', 'keep', 'remembered')
      expect((await plain.call('uses_its_grants', 'kept')).result).to.equal('remembered')
    })

    it('still holds the memory limit', async () => {
      for (const kind of ['buffers', 'heap']) {
        const error = await plain.refusal('hoards_memory', kind)
        expect(error.code).to.equal('LIMIT_EXCEEDED')
        expect(error.details).to.deep.include({ limit: 'max_memory_mb', declared: 64 })
      }
    })

    it('still holds the wall time limit', async () => {
      const error = await plain.refusal('blocks_its_thread', 'compute')
      expect(error.code).to.equal('LIMIT_EXCEEDED')
      expect((await plain.call('blocks_its_thread', 'fine')).result).to.equal('fine')
    })
  })
})
