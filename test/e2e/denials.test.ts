import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { refusalOf, TestDaemon } from '../helpers/daemon.ts'

interface Expected {
  readonly operation: string
  readonly input: unknown
  readonly sentence: string
  readonly missing: readonly string[]
  readonly kind: string
}

describe('A denial', () => {
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['reaches-out', 'echoes'],
      files: { 'secret.txt': 'not yours', 'data/given.txt': 'given' },
    })
  })
  after(() => daemon.stop())

  const granted = (missing: string): string =>
    `${missing} is not granted; to allow it add permissions = [${JSON.stringify(missing)}]`
  const opened = (key: string): string =>
    `runtime:${key} is not granted; to allow it add ${key} = true under [runtime]`

  const KINDS: readonly Expected[] = [
    {
      operation: 'read',
      input: '/etc/hostname',
      sentence: granted('fs_read:/etc/hostname'),
      missing: ['fs_read:/etc/hostname'],
      kind: 'fs_read',
    },
    {
      operation: 'list',
      input: '/srv/data',
      sentence: granted('fs_read:/srv/data'),
      missing: ['fs_read:/srv/data'],
      kind: 'fs_read',
    },
    {
      operation: 'read',
      input: 'secret.txt',
      sentence: granted('fs_read:./secret.txt'),
      missing: ['fs_read:./secret.txt'],
      kind: 'fs_read',
    },
    {
      operation: 'write',
      input: '/srv/made.txt',
      sentence: granted('fs_write:/srv/made.txt'),
      missing: ['fs_write:/srv/made.txt'],
      kind: 'fs_write',
    },
    {
      operation: 'make',
      input: 'made',
      sentence: granted('fs_write:./made'),
      missing: ['fs_write:./made'],
      kind: 'fs_write',
    },
    {
      operation: 'wrapped',
      input: '/etc/hostname',
      sentence: granted('fs_read:/etc/hostname'),
      missing: ['fs_read:/etc/hostname'],
      kind: 'fs_read',
    },
    {
      operation: 'program',
      input: 'ls',
      sentence: granted('process'),
      missing: ['process'],
      kind: 'process',
    },
    {
      operation: 'fetch',
      input: 'https://api.example.org/v1',
      sentence: granted('network:api.example.org'),
      missing: ['network:api.example.org'],
      kind: 'network',
    },
    {
      operation: 'connect',
      input: { host: '192.0.2.1', port: 5432 },
      sentence: granted('network:192.0.2.1:5432'),
      missing: ['network:192.0.2.1:5432'],
      kind: 'network',
    },
    {
      operation: 'addon',
      input: null,
      sentence: opened('addons'),
      missing: ['runtime:addons'],
      kind: 'runtime',
    },
    {
      operation: 'sqlite',
      input: null,
      sentence: opened('sqlite'),
      missing: ['runtime:sqlite'],
      kind: 'runtime',
    },
    {
      operation: 'inspector',
      input: null,
      sentence: opened('inspector'),
      missing: ['runtime:inspector'],
      kind: 'runtime',
    },
    { operation: 'ffi', input: null, sentence: opened('ffi'), missing: ['runtime:ffi'], kind: 'runtime' },
    {
      operation: 'evaluate',
      input: '1',
      sentence: opened('eval'),
      missing: ['runtime:eval'],
      kind: 'runtime',
    },
    {
      operation: 'thread',
      input: null,
      sentence: 'a worker thread is granted to no plugin; context.parallel runs tasks on threads',
      missing: [],
      kind: 'runtime',
    },
    {
      operation: 'wasi',
      input: null,
      sentence: 'WASI is granted to no plugin',
      missing: [],
      kind: 'runtime',
    },
    {
      operation: 'read',
      input: '/proc/1/environ',
      sentence: 'reading "/proc/1/environ" is granted to no plugin',
      missing: [],
      kind: 'fs_read',
    },
  ]

  for (const { operation, input, sentence, missing, kind } of KINDS) {
    it(`by ${operation} ${JSON.stringify(input)} is one sentence, with what is missing`, async () => {
      const error = await daemon.refusal('reaches_out', operation, input)
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.message).to.equal(`Cannot finish "${operation}" of "reaches_out": ${sentence}`)
      expect(error.details).to.deep.include({ missing, kind })
    })
  }

  it('has the whole line as it would stand in a manifest that asks for other things already', async () => {
    const { details } = await daemon.refusal('reaches_out', 'read', '/etc/hostname')
    expect(details['manifest_table']).to.equal('permissions')
    expect(details['manifest_line']).to.equal('permissions = ["env:TZ", "fs_read:/etc/hostname"]')
    const runtime = await daemon.refusal('reaches_out', 'sqlite')
    expect(runtime.details).to.deep.include({ manifest_table: 'runtime', manifest_line: 'sqlite = true' })
  })

  it('is counted by plugin and kind', async () => {
    const before = (await daemon.system.get_plugin_health('reaches_out')).denials
    await daemon.refusal('reaches_out', 'read', '/etc/hostname')
    await daemon.refusal('reaches_out', 'program', 'ls')
    const { plugins } = await daemon.system.get_metrics()
    const denials = plugins.find(({ plugin_id }) => plugin_id === 'reaches_out')!.denials
    expect(denials.fs_read - before.fs_read).to.equal(1)
    expect(denials.process - before.process).to.equal(1)
    const others = plugins.find(({ plugin_id }) => plugin_id === 'echoes')!.denials
    expect(Object.values(others)).to.deep.equal([0, 0, 0, 0, 0, 0])
  })

  it('that the plugin swallows is a warning of the result, a line of its log and counted once', async () => {
    const before = (await daemon.system.get_plugin_health('reaches_out')).denials
    const input = { way: 'read', input: '/etc/os-release' }
    const result = await daemon.call('reaches_out', 'caught', input)
    expect(result).to.deep.include({ success: true, result: 'went on' })
    expect(result.warnings).to.deep.equal([granted('fs_read:/etc/os-release')])
    const { denials } = await daemon.system.get_plugin_health('reaches_out')
    expect(denials.fs_read - before.fs_read).to.equal(1)
    const logged = await daemon.system.get_plugin_logs({ plugin_id: 'reaches_out', lines: 20 })
    const line = logged.find(({ message }) => message === granted('fs_read:/etc/os-release'))
    expect(line).to.deep.include({ level: 'warn', source: 'host', execution_id: result.execution_id })
    const again = await daemon.call('reaches_out', 'caught', input)
    expect(again.warnings).to.deep.equal(result.warnings)
  })

  describe('that a plugin makes up', () => {
    it('for what it holds is its own failure', async () => {
      const resource = daemon.world.path('plugins/reaches_out/index.js')
      const result = await daemon.call('reaches_out', 'forged', { permission: 'FileSystemRead', resource })
      expect(result.success).to.equal(false)
      expect(result.error).to.contain(resource)
    })

    it('of a permission that nobody knows is its own failure', async () => {
      for (const permission of ['Everything', '', '__proto__', 'constructor']) {
        const forged = { permission, resource: '/etc/hostname' }
        expect((await daemon.call('reaches_out', 'forged', forged)).success).to.equal(false)
      }
    })

    it('names no line that could be pasted with a second line in it', async () => {
      const resource = '/srv/x"]\n[runtime]\neval = true'
      const error = await daemon.refusal('reaches_out', 'forged', { permission: 'FileSystemRead', resource })
      expect(error.details).to.deep.include({ missing: [], manifest_line: null })
      expect(error.message).to.match(/^[^\u0000-\u001f]*$/)
    })
  })

  describe('at the start', () => {
    const starts: readonly [string, string, string][] = [
      ['reads_early', "import fs from 'node:fs'\nfs.readFileSync('/etc/hostname')", 'fs_read:/etc/hostname'],
      ['imports_sqlite', "import 'node:sqlite'", 'runtime:sqlite'],
      ['spawns_early', "import { spawnSync } from 'node:child_process'\nspawnSync('ls')", 'process'],
    ]
    for (const [id, code, missing] of starts) {
      it(`is the same sentence (${missing})`, async () => {
        daemon.world.addManifest(id)
        daemon.world.write(
          `plugins/${id}/index.js`,
          `${code}\nexport default { operations: { fine: () => 1 } }\n`,
        )
        await daemon.system.load_plugin(id)
        const error = await daemon.refusal(id, 'fine')
        expect(error.code, error.message).to.equal('PERMISSION_DENIED')
        expect(error.message).to.contain(`Cannot start "${id}": ${missing} is not granted; to allow it add`)
        expect(error.details).to.deep.include({ missing: [missing] })
        const { denials } = await daemon.system.get_plugin_health(id)
        expect(Object.values(denials).reduce((sum, count) => sum + count, 0)).to.be.at.least(1)
      })
    }
  })

  it('goes away with the line that it names, pasted', async () => {
    fs.writeFileSync(daemon.world.path('data/given.txt'), 'given')
    await daemon.call('echoes', 'echo', 'here')
    const before = await daemon.refusal('reaches_out', 'read', 'data/given.txt')
    paste(daemon.world.path('plugins/reaches_out/plugin.toml'), before)
    expect((await refusalOf(daemon.system.reload_plugin('reaches_out'))).details).to.include({
      gate: 'permissions',
    })
    await daemon.approve('reaches_out')
    const result = await daemon.call('reaches_out', 'read', 'data/given.txt')
    expect(result.result).to.equal('given')
  })
})

/** What a person does with `manifest_line`. */
function paste(manifest: string, { details }: PhantomError): void {
  const line = String(details['manifest_line'])
  const text = fs.readFileSync(manifest, 'utf8').replace(/^permissions = .*$/m, () => line)
  expect(text, path.basename(manifest)).to.contain(line)
  fs.writeFileSync(manifest, text)
}
