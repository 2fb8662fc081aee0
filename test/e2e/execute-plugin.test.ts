import fs from 'node:fs'
import { expect } from 'chai'
import type { ExecutionProgress } from '../../src/contract/execution.ts'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { refusalOf, TestDaemon, type ExecuteOptions } from '../helpers/daemon.ts'

describe('execute_plugin()', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'reports', 'uses-its-grants'],
      files: {
        'data/given.txt': 'what lies in data',
        'other/data/given.txt': 'what lies in the other data',
        'secret.txt': 'nobody was granted this',
        ...pluginWithSchemas(),
      },
      environment: { GIVEN_TO_PLUGIN: 'a granted value', NOT_GIVEN_TO_PLUGIN: 'a secret of the daemon' },
    })
    // A plugin of a root daemon is another user: what it writes to must be open to it.
    fs.chmodSync(daemon.world.folder, 0o777)
  })
  after(() => daemon.stop())

  it('resolves with every field of the result, measured by the host', async () => {
    const result = await daemon.call('echoes', 'echo', { text: 'ä € 𝄞', list: [1, null, true] })
    expect(result).to.deep.include({
      plugin_id: 'echoes',
      success: true,
      result: { text: 'ä € 𝄞', list: [1, null, true] },
      error: null,
      warnings: [],
      logs: [],
      created_files: [],
      network_requests: 0,
    })
    expect(result.execution_id).to.be.a('string').that.is.not.empty
    expect(result.execution_time_ms).to.be.a('number').that.is.above(0)
    expect(result.memory_used_bytes).to.be.above(1_000_000)
    expect(result.cpu_time_ms).to.be.at.least(0)
    expect(result.metadata).to.have.keys('figures', 'generation')
  })

  it("resolves with success false and the plugin's words when the plugin fails", async () => {
    const result = await daemon.call('echoes', 'fail', 'no such luck')
    expect(result).to.deep.include({ success: false, result: null, error: 'no such luck' })
  })

  it('takes a payload of 20 MB and gives one back', async () => {
    const text = 'x'.repeat(10_000_000)
    const { result } = await daemon.call<string[]>('echoes', 'echo', [text, text])
    expect(result?.map((one) => one.length)).to.deep.equal([10_000_000, 10_000_000])
  })

  it('counts an absent input as null', async () => {
    expect((await daemon.call('echoes', 'kind')).result).to.equal('object null')
  })

  it('tells of progress in order, the last step included', async () => {
    const seen: ExecutionProgress[] = []
    const result = await daemon.call('reports', 'steps', 4, {
      on_progress: (progress) => void seen.push(progress),
    })
    expect(seen.at(-1)).to.deep.equal({ execution_id: result.execution_id, fraction: 1, message: 'step 4' })
    const fractions = seen.map(({ fraction }) => fraction ?? -1)
    expect(fractions).to.deep.equal(fractions.toSorted((a, b) => a - b))
  })

  it('puts what the plugin logs into the result, warnings also apart, and into its log', async () => {
    const result = await daemon.call('reports', 'lines', { count: 2, level: 'warn', text: 'mind this' })
    expect(result.logs).to.deep.equal(['warn: mind this', 'warn: mind this'])
    expect(result.warnings).to.deep.equal(['mind this', 'mind this'])
    const lines = await daemon.system.get_plugin_logs({ plugin_id: 'reports', lines: 2 })
    expect(lines.map(({ level, message }) => ({ level, message }))).to.deep.equal([
      { level: 'warn', message: 'mind this' },
      { level: 'warn', message: 'mind this' },
    ])
    expect(lines[0]?.execution_id).to.equal(result.execution_id)
  })

  it('gives a context with the folders of the call', async () => {
    const { result } = await daemon.call<Record<string, unknown>>('reports', 'about')
    expect(result).to.deep.include({ plugin_id: 'reports', workspace: daemon.world.folder, generation: 1 })
  })

  it('starts a plugin whose schemas are larger than a frame', async () => {
    expect((await daemon.call('with_schemas', 'op_0', {})).result).to.equal('done')
  })

  it('names the nearest plugin where there is none of that id', async () => {
    const error = await daemon.refusal('echos', 'echo')
    expect(error.code).to.equal('PLUGIN_NOT_FOUND')
    expect(error.message).to.contain('Did you mean "echoes"?')
  })

  it('names the nearest operation where there is none of that name', async () => {
    const error = await daemon.refusal('echoes', 'eco')
    expect(error.code).to.equal('OPERATION_NOT_FOUND')
    expect(error.message).to.contain('"echo"')
  })

  it('rejects with CALL_TIMEOUT when the caller allows less time', async () => {
    const error = await daemon.refusal('echoes', 'wait', 10_000, { timeout_ms: 100 })
    expect(error.code).to.equal('CALL_TIMEOUT')
    expect(error.details).to.deep.include({ timeout_ms: 100, set_by: 'caller' })
  })

  it('rejects with CALL_CANCELLED when its signal aborts, and keeps the process', async () => {
    const pid = await daemon.pidOf('echoes')
    const controller = new AbortController()
    const call = daemon.call('echoes', 'wait', 10_000, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    expect((await refusalOf(call)).code).to.equal('CALL_CANCELLED')
    expect((await daemon.call('echoes', 'echo', 'on')).result).to.equal('on')
    expect(await daemon.pidOf('echoes')).to.equal(pid)
  })

  describe('with granted files and variables', () => {
    it('reads what fs_read names, by a relative path of the workspace and by an absolute one', async () => {
      const file = daemon.world.path('data/given.txt')
      for (const path of ['data/given.txt', './data/given.txt', file]) {
        expect((await daemon.call('uses_its_grants', 'read', path)).result).to.equal('what lies in data')
      }
    })

    it('makes the folder that fs_write names, writes there and reports the file as created', async () => {
      const result = await daemon.call('uses_its_grants', 'write', { path: 'output/made.txt', text: 'made' })
      const made = daemon.world.path('output/made.txt')
      expect(result).to.deep.include({ success: true, created_files: [made] })
      expect(fs.readFileSync(made, 'utf8')).to.equal('made')
    })

    it('reports a file only as created by the call that made it', async () => {
      await daemon.call('uses_its_grants', 'write', { path: 'output/first.txt', text: '1' })
      const second = await daemon.call('uses_its_grants', 'write', { path: 'output/first.txt', text: '2' })
      expect(second.created_files).to.deep.equal([])
    })

    it('gives the variables that env names and no other', async () => {
      expect((await daemon.call('uses_its_grants', 'variable', 'GIVEN_TO_PLUGIN')).result).to.equal(
        'a granted value',
      )
      expect((await daemon.call('uses_its_grants', 'variable', 'NOT_GIVEN_TO_PLUGIN')).result).to.equal(null)
    })

    it('refuses what was not granted, and names the line that the manifest would need', async () => {
      const error = await daemon.refusal('uses_its_grants', 'read', '/etc/hostname')
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.message).to.contain('permissions = ["fs_read:/etc/hostname"]')
    })

    it('refuses what lies beside a grant, and writing to what may only be read', async () => {
      await expectDenied('read', daemon.world.path('secret.txt'))
      await expectDenied('write', { path: 'data/given.txt', text: 'spoilt' })
      await expectDenied('write', { path: 'data/new.txt', text: 'new' })
      expect(fs.readdirSync(daemon.world.path('data'))).to.deep.equal(['given.txt'])
      expect(fs.readFileSync(daemon.world.path('data/given.txt'), 'utf8')).to.equal('what lies in data')
    })

    it('shows in get_plugin_info what was declared, what holds and by what', async () => {
      const { permissions } = await daemon.info('uses_its_grants')
      expect(permissions.map(({ declared, refused }) => [declared, refused])).to.deep.equal([
        ['fs_read:./data', null],
        ['fs_write:./output', null],
        ['env:GIVEN_TO_PLUGIN', null],
      ])
      expect(permissions[0]?.effective).to.contain(daemon.world.path('data'))
      for (const { mechanism } of permissions) expect(mechanism).to.be.a('string').that.is.not.empty
    })

    it('keeps data_dir between processes', async () => {
      await daemon.call('uses_its_grants', 'keep', 'remembered')
      const other = daemon.world.path('other')
      expect((await daemon.call('uses_its_grants', 'kept', null, { workspace: other })).result).to.equal(
        'remembered',
      )
    })

    it('runs each workspace in a process of its own, and neither sees the files of the other', async () => {
      const other = daemon.world.path('other')
      const there = { workspace: other }
      expect((await daemon.call('uses_its_grants', 'read', 'data/given.txt', there)).result).to.equal(
        'what lies in the other data',
      )
      await expectDenied('read', daemon.world.path('data/given.txt'), there)
      await expectDenied('read', `${other}/data/given.txt`)
      const { instances } = await daemon.info('uses_its_grants')
      expect(instances.map(({ workspace }) => workspace).toSorted()).to.deep.equal([
        daemon.world.folder,
        other,
      ])
      expect(new Set(instances.map(({ pid }) => pid)).size).to.equal(2)
    })

    /** Below /tmp, which every plugin has a private one of, what was not granted is not there at all. */
    async function expectDenied(
      operation: string,
      input: unknown,
      options: ExecuteOptions = {},
    ): Promise<void> {
      try {
        const { success, error } = await daemon.call('uses_its_grants', operation, input, options)
        expect(success).to.be.false
        expect(error).to.match(/ENOENT|EROFS|EACCES/)
      } catch (error) {
        if (!isPhantomError(error)) throw error
        expect(error.code).to.equal('PERMISSION_DENIED')
      }
    }
  })
})

/** Each schema is as large as a manifest may name, and together they are more than a megabyte. */
function pluginWithSchemas(): Record<string, string> {
  const numbers = [0, 1, 2, 3, 4, 5]
  const schema = JSON.stringify({ type: 'object', description: 'x'.repeat(240_000) })
  const operations = numbers.map((at) => `[[operations]]\nname = "op_${at}"\ninput_schema = "${at}.json"\n`)
  const handlers = numbers.map((at) => `op_${at}: () => "done"`)
  return {
    'plugins/with_schemas/plugin.toml': manifestText('with_schemas', operations.join('')),
    'plugins/with_schemas/index.js': `export default { operations: { ${handlers.join(', ')} } }`,
    ...Object.fromEntries(numbers.map((at) => [`plugins/with_schemas/${at}.json`, schema])),
  }
}
