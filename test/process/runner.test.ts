import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const ENTRY = path.resolve(import.meta.dirname, '../fixtures/runner/operations.mjs')

describe('sandbox-runner', () => {
  let file: string
  let folder: string
  let runner: RunnerDriver

  before(() => {
    file = buildRunner()
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-runner-'))
  })
  after(() => fs.rmSync(folder, { recursive: true }))
  beforeEach(() => {
    runner = new RunnerDriver({
      runner: file,
      entry: ENTRY,
      readable: [folder],
      initialize: { config: { depth: 2 } },
    })
  })
  afterEach(() => runner.stop())

  describe('handshake', () => {
    it('answers with its protocol, the operations and what the plugin says about itself', async () => {
      const result = resultOf(await runner.start()) as { operations: string[]; metadata: unknown }
      expect(result).to.include({ protocol_version: '1.2' }).and.not.to.have.property('capabilities')
      expect(result.operations).to.include.members(['echo', 'greet', 'waits'])
      expect(result.metadata).to.deep.equal({ made: 'by hand' })
      expect(runner.logs.map(({ message }) => message).join()).to.match(
        /What capabilities\(\) says is not passed on: it is 70002 bytes/,
      )
    })

    it('refuses another major version and ends', async () => {
      runner = await replace(runner, {
        runner: file,
        entry: ENTRY,
        initialize: { protocol_version: '2.0' },
      })
      const { message } = errorOf(await runner.start())
      expect(message).to.contain('Cannot serve protocol "2.0": this runner speaks 1.2')
      expect(await runner.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.protocol, signal: null })
    })

    it('ends with its own code when the host is gone, also while a call runs', async () => {
      await runner.start()
      void runner.execute('waits')
      await runner.until(() => runner.logs.some(({ message }) => message === 'waiting'))
      runner.connection.destroy()
      expect(await runner.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.host_gone, signal: null })
    })

    it('ends with its own code when the host breaks the contract', async () => {
      runner.channel.write('no JSON\n')
      expect(await runner.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.protocol, signal: null })
    })

    it('ends with its own code when a call comes before the start, and when a start comes twice', async () => {
      void runner.execute('echo')
      expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
      runner = await replace(runner, { runner: file, entry: ENTRY })
      await runner.start()
      void runner.start()
      expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
    })

    it('answers pings, health and methods that it has not', async () => {
      await runner.start()
      expect(resultOf(await runner.call('ping', {}))).to.equal(null)
      expect(resultOf(await runner.call('health', {}))).to.deep.equal({ health: { status: 'good' } })
      expect(errorOf(await runner.call('dance', {})).name).to.equal('METHOD_NOT_FOUND')
    })

    it('runs shutdown(), answers and exits with 0, after it aborted what still ran', async () => {
      await runner.start()
      const waiting = runner.execute('waits')
      await runner.until(() => runner.logs.some(({ message }) => message === 'waiting'))
      expect(resultOf(await runner.call('shutdown', {}))).to.equal(null)
      expect(errorOf(await waiting).name).to.equal('cancelled')
      expect(await runner.exited).to.deep.equal({ code: 0, signal: null })
      expect(runner.stderr).to.equal('shut down\n')
      expect(runner.logs.map(({ message }) => message)).to.include('aborted')
    })

    it('ends on SIGTERM', async () => {
      await runner.start()
      runner.child.kill('SIGTERM')
      expect(await runner.exited).to.deep.equal({ code: 143, signal: null })
    })
  })

  describe('execute', () => {
    beforeEach(async () => {
      resultOf(await runner.start())
    })

    it('passes input and result through, whether the operation is synchronous or not', async () => {
      expect(resultOf(await runner.execute('echo', { a: [1, 'ä', null] }))).to.deep.equal({
        a: [1, 'ä', null],
      })
      expect(resultOf(await runner.execute('greet', { name: 'Ada' }))).to.equal('Hello Ada')
      expect(resultOf(await runner.execute('echo'))).to.equal(null)
      expect(resultOf(await runner.execute('returns_nothing'))).to.equal(null)
    })

    it('carries a large input and a large result', async () => {
      const text = 'b'.repeat(1024 * 1024 - 2)
      expect(resultOf(await runner.execute('echo', text))).to.equal(text)
    })

    it('gives the operation its context', async () => {
      const context = resultOf(await runner.execute('describes_context')) as Record<string, unknown>
      expect(context).to.deep.include({
        plugin_id: 'driven',
        config: { depth: 2 },
        data_dir: '/data',
        workspace: '/workspace',
        generation: 3,
        execution_id: 'exec-2',
        seen: { plugin_id: 'driven', aborted: false },
      })
      expect(context['left']).to.be.within(1, 10_000)
    })

    it('names an unknown operation and the nearest known one', async () => {
      const { name, message } = errorOf(await runner.execute('ehco'))
      expect(name).to.equal('operation_not_found')
      expect(message).to.equal('Cannot run "ehco": the plugin has no such operation. Did you mean "echo"?')
      expect(errorOf(await runner.execute('constructor')).name).to.equal('operation_not_found')
    })

    it('fails one call alone when its input is no JSON, nests too deep or has a key "__proto__"', async () => {
      const send = (text: string) =>
        runner.call('execute', { operation: 'echo', timeout_ms: 1000 }, Buffer.from(text))
      for (const text of ['{"a":', '{"__proto__":1}', '['.repeat(200) + ']'.repeat(200)]) {
        const { name, message } = errorOf(await send(text))
        expect(name, text).to.equal('input_invalid')
        expect(message).to.match(/^input: Cannot read JSON: /)
      }
      expect(resultOf(await runner.execute('echo', 1))).to.equal(1)
    })

    const FAULTS: [operation: string, message: RegExp, name: string][] = [
      ['throws', /^the plugin has words$/, 'TypeError'],
      ['throws_text', /^only text$/, 'string'],
      ['throws_null', /^a thrown object: null$/, 'object'],
      ['throws_hostile', /^a thrown value that cannot be shown$/, 'object'],
      ['throws_proxy', /^a thrown value that cannot be shown$/, 'object'],
      ['throws_long', /^y{8192}$/, 'Error'],
      ['hostile_then', /^then is trapped$/, 'Error'],
      ['hostile_to_json', /^Cannot return the result: Cannot write JSON: toJSON is trapped/, 'TypeError'],
      ['returns_circular', /^Cannot return the result: .*circular structure/, 'TypeError'],
      ['returns_bigint', /^Cannot return the result: .*BigInt/, 'TypeError'],
      ['returns_function', /^Cannot return the result: it returned a function/, 'TypeError'],
      ['returns_bytes', /^Cannot return the result: it returned bytes/, 'TypeError'],
      [
        'progresses_wrongly',
        /^Cannot report progress: expected a fraction from 0 to 1 or null, found string$/,
        'TypeError',
      ],
    ]
    for (const [operation, words, kind] of FAULTS) {
      it(`answers a fault in words when the operation ${operation.replaceAll('_', ' ')}, and goes on`, async () => {
        const { name, message, details } = errorOf(await runner.execute(operation, {}))
        expect(name).to.equal('fault')
        expect(message).to.match(words)
        expect(details['name']).to.equal(kind)
        expect(resultOf(await runner.execute('echo', 'alive'))).to.equal('alive')
      })
    }

    it('says how large a result is that is too large', async () => {
      const { name, message, details } = errorOf(await runner.execute('returns_mebibytes', { count: 3 }))
      expect(name).to.equal('payload_too_large')
      expect(details).to.deep.equal({ limit: 1_048_576, measured: 3_145_730 })
      expect(message).to.equal(
        'Cannot return the result: it is 3145730 bytes of JSON, at most 1048576 bytes are allowed',
      )
    })

    it('tells an allocation that failed from a fault', async () => {
      expect(errorOf(await runner.execute('allocates')).name).to.equal('out_of_memory')
    })

    it('tells a refused access from a file that is not there', async () => {
      const resource = path.join(os.tmpdir(), 'not-granted')
      const denied = errorOf(await runner.execute('reads', { path: resource }))
      expect(denied.name).to.equal('access_denied')
      expect(denied.details).to.deep.equal({
        permission: 'FileSystemRead',
        resource,
        code: 'ERR_ACCESS_DENIED',
      })
      expect(denied.message).to.equal(
        `Cannot access ${JSON.stringify(resource)}: FileSystemRead is not granted there`,
      )
      const missing = path.join(folder, 'missing')
      const fault = errorOf(await runner.execute('reads', { path: missing }))
      expect(fault.name).to.equal('fault')
      expect(fault.details).to.include({ code: 'ENOENT', path: missing })
    })

    it('answers "cancelled" when the operation ends because of it, and the result when it ends in order', async () => {
      for (const [operation, expected] of [
        ['waits', 'cancelled'],
        ['waits_and_returns', 'stopped in order'],
      ] as const) {
        runner.logs.length = 0
        let id = 0
        const answered = new Promise<Parameters<typeof errorOf>[0]>((resolve) => {
          const params = { operation, timeout_ms: 10_000 }
          id = runner.connection.request('execute', params, null, resolve)
        })
        await runner.until(() => runner.logs.length > 0)
        expect(runner.logs[0]).to.deep.equal({
          level: 'info',
          message: 'waiting',
          execution_id: `exec-${id.toString(36)}`,
        })
        runner.connection.notify('cancel', { id })
        const answer = await answered
        expect(operation === 'waits' ? errorOf(answer).name : resultOf(answer)).to.equal(expected)
      }
    })

    it('sends logs of the asked level and above, capped, with the call they belong to', async () => {
      await runner.execute('logs')
      expect(runner.logs.every(({ execution_id: id }) => id === 'exec-2' || id === undefined)).to.equal(true)
      const own = runner.logs.filter(({ execution_id: id }) => id !== undefined)
      expect(own.map(({ level, message }) => `${level} ${message.slice(0, 40)}`)).to.deep.equal([
        'info seen {"rows":3,"name":"a"}',
        "warn { not: 'text' }",
        `info ${'z'.repeat(40)}`,
        'info circular {}',
      ])
      expect(own[2]?.message).to.have.length(8192)
    })

    it('sends progress a few times a second and always the last, before the answer', async () => {
      await runner.execute('progresses', null, { progress: true })
      expect(runner.progress.length).to.be.within(2, 5)
      expect(runner.progress[0]).to.include({ fraction: 0, message: 'step 0' })
      expect(runner.progress.at(-1)).to.include({ fraction: 1, message: 'step 1000' })
      runner.progress.length = 0
      await runner.execute('progresses')
      expect(runner.progress).to.deep.equal([])
    })

    it('logs a rejection that nobody handles, and goes on', async () => {
      expect(resultOf(await runner.execute('rejects_late'))).to.equal('answered')
      await runner.until(() => runner.logs.some(({ message }) => message.includes('nobody waits for me')))
      expect(resultOf(await runner.execute('echo', 1))).to.equal(1)
    })

    it('delivers what was answered when the plugin then throws where nobody catches, and exits with 1', async () => {
      expect(resultOf(await runner.execute('throws_late'))).to.equal('answered')
      expect(await runner.exited).to.deep.equal({ code: 1, signal: null })
      expect(runner.stderr).to.contain('nobody catches me')
    })

    it('delivers what was answered before the plugin calls process.exit() in the same turn', async () => {
      const first = runner.execute('echo', 'before')
      const second = runner.execute('exits')
      expect(resultOf(await first)).to.equal('before')
      expect(errorOf(await second).message).to.contain('the connection is closed')
      expect(await runner.exited).to.deep.equal({ code: 0, signal: null })
    })

    it('goes on when plugin code patches what the protocol stands on', async () => {
      expect(resultOf(await runner.execute('patches_the_realm'))).to.deep.equal([
        'TypeError',
        'TypeError',
        'done',
      ])
      expect(resultOf(await runner.execute('echo', { a: 1 }))).to.deep.equal({ a: 1 })
      await runner.call('shutdown', {})
      expect((await runner.exited).code).to.equal(0)
    })
  })
})

async function replace(
  runner: RunnerDriver,
  settings: ConstructorParameters<typeof RunnerDriver>[0],
): Promise<RunnerDriver> {
  await runner.stop()
  return new RunnerDriver(settings)
}
