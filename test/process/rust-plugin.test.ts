import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import { BUILD_TIMEOUT_MS, CONFORMANCE, openCargo } from '../helpers/cargo.ts'
import { errorOf, resultOf, RunnerDriver, type RunnerSettings } from './runner-driver.ts'

const declared = (name: string) => ({ name, input_validator: null, input_schema: null })

describe('a plugin of the crate phantom_ml_core, over its channel', () => {
  let entry: string
  let folder: string
  let plugin: RunnerDriver

  before(async function () {
    const cargo = await openCargo(this)
    this.timeout(BUILD_TIMEOUT_MS)
    await cargo.run(CONFORMANCE, 'build', '--release', '--quiet')
    entry = path.join(cargo.built, 'main')
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-rust-'))
  })
  after(() => {
    if (folder !== undefined) fs.rmSync(folder, { recursive: true })
  })
  beforeEach(() => {
    plugin = open()
  })
  afterEach(() => plugin.stop())

  function open(initialize: RunnerSettings['initialize'] = {}): RunnerDriver {
    return new RunnerDriver({ runner: null, entry, initialize })
  }

  async function reopen(initialize: RunnerSettings['initialize']): Promise<void> {
    await plugin.stop()
    plugin = open(initialize)
  }

  describe('start', () => {
    it('answers with its protocol, its hooks, and what it says about itself', async () => {
      const { metadata, operations, ...rest } = resultOf(await plugin.start()) as Record<string, unknown>
      expect(operations).to.include.members(['echo', 'count'])
      expect(rest).to.deep.equal({
        protocol_version: '1.2',
        hooks: ['health', 'validate_config', 'configure', 'quiesce', 'resume', 'export_state'],
        capabilities: [],
      })
      expect(metadata).to.deep.include({ id: 'driven', version: '1.0.0' })
    })

    it('knows itself by what a host of protocol 1.1 says', async () => {
      const metadata = { id: 'driven', name: 'Driven', version: '1.0.0', description: '', author: 'Ada' }
      const initialize = { protocol_version: '1.1', metadata }
      await reopen(initialize)
      const result = resultOf(await plugin.start()) as { metadata: unknown }
      expect(result.metadata).to.deep.equal(metadata)
    })

    it('serves an older minor version, and refuses another major one by name', async () => {
      expect((await plugin.start()).error).to.equal(null)
      await reopen({ protocol_version: '2.0' })
      const { name, message } = errorOf(await plugin.start())
      expect(name).to.equal('VERSION_UNSUPPORTED')
      expect(message).to.contain('Cannot serve protocol "2.0": this runner speaks 1.2')
      expect(await plugin.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.protocol, signal: null })
    })

    it('passes on the veto of its configuration, which the same files would meet again', async () => {
      await reopen({ config: { depth: 11 } })
      const { name, message, details } = errorOf(await plugin.start())
      expect(name).to.equal('fault')
      expect(message).to.equal('its validate_config() refused the configuration: depth must be at most 10')
      expect(details['deterministic']).to.equal(true)
    })

    it('ends with the codes of the contract: host gone, contract broken, started by hand', async () => {
      plugin.connection.destroy()
      expect((await plugin.exited).code).to.equal(RUNNER_EXIT_CODES.host_gone)
      plugin = open()
      void plugin.execute('echo')
      expect((await plugin.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
      plugin = open()
      plugin.channel.write('no JSON\n')
      expect((await plugin.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
      expect(plugin.stderr).to.contain('Cannot follow the host: a line is no JSON')
      const byHand = spawnSync(entry, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
      expect(byHand.status).to.equal(RUNNER_EXIT_CODES.protocol)
      expect(byHand.stderr).to.contain('Run it with "phantom run"')
    })
  })

  describe('operations', () => {
    it('return what they are given, of any size and kind', async () => {
      await plugin.start()
      const texts = {
        text: 'a "quoted" line\nand é, 𝄞',
        b: [0.1, 1e300, 4.9e-324, 9007199254740992, null],
      }
      for (const input of [null, 0.1 + 0.2, '', [], {}, texts, 'x'.repeat(1_000_000)]) {
        expect(resultOf(await plugin.execute('echo', input))).to.deep.equal(input)
      }
      expect(resultOf(await plugin.execute('echo'))).to.equal(null)
    })

    it('are refused where the manifest declares others, and where they are not in the code', async () => {
      expect((await plugin.start()).error).to.equal(null)
      const inCode = errorOf(await plugin.execute('dance'))
      expect(inCode.name).to.equal('operation_not_found')
      expect(inCode.message).to.match(/^Cannot run "dance": the plugin has no such operation\. It has echo, /)
      await reopen({ operations: ['echo'].map(declared) })
      await plugin.start()
      const inManifest = errorOf(await plugin.execute('count'))
      expect(inManifest.message).to.equal('Cannot run "count": the plugin has no such operation. It has echo')
      expect(inManifest.details).to.deep.equal({ operations: ['echo'], nearest: null })
      await reopen({ operations: ['echo', 'dance'].map(declared) })
      const lacking = errorOf(await plugin.start())
      expect(lacking.message).to.match(
        /^plugin\.toml declares operations that the code lacks: "dance"\. The code has echo, .*Add them to operations\(\)/,
      )
      expect(lacking.details['deterministic']).to.equal(true)
    })

    it('fail in their words, and the process goes on', async () => {
      await plugin.start()
      const panicked = errorOf(await plugin.execute('panic', { message: 'the lamp fell' }))
      expect(panicked).to.include({ name: 'fault', message: 'the lamp fell' })
      const wrong = errorOf(await plugin.execute('word_count', { text: 3 }))
      expect(wrong).to.include({ name: 'input_invalid', message: 'input.text: must be string' })
      const broken = await plugin.call(
        'execute',
        { operation: 'echo', timeout_ms: 1000 },
        Buffer.from('{"a":'),
      )
      expect(errorOf(broken)).to.include({ name: 'input_invalid' })
      expect(resultOf(await plugin.execute('word_count', { text: 'the  lamp fell ' }))).to.deep.equal({
        words: 3,
        chars: 15,
      })
      expect(plugin.stderr).to.equal('')
    })

    it('name the file that they did not reach, as the daemon needs it to find what was not granted', async () => {
      await plugin.start()
      const file = path.join(folder, 'missing/a.txt')
      const read = errorOf(await plugin.execute('read_file', { path: file }))
      expect(read.message).to.equal(`ENOENT: no such file or directory, open '${file}'`)
      expect(read.details).to.deep.include({ code: 'ENOENT', path: file, syscall: 'open' })
      const written = errorOf(await plugin.execute('write_file', { path: file, text: '' }))
      expect(written.details).to.deep.include({ code: 'ENOENT', path: file, syscall: 'write' })
      const outside = errorOf(await plugin.execute('read_file', { path: '/no/such/file' }))
      expect(outside.name).to.equal('access_denied')
      expect(outside.message).to.equal("ENOENT: no such file or directory, open '/no/such/file'")
      expect(outside.details).to.deep.equal({ permission: 'FileSystemRead', resource: '/no/such/file' })
      const none = errorOf(await plugin.execute('fetch_url', { url: 'http://a.example/x' }))
      expect(none.name).to.equal('access_denied')
      expect(none.details).to.deep.equal({ permission: 'Net', resource: 'a.example:80' })
    })

    it('read and write files', async () => {
      await plugin.start()
      const file = path.join(folder, 'a.txt')
      const written = await plugin.execute('write_file', { path: file, text: 'é\n' })
      expect(resultOf(written)).to.deep.equal({ bytes: 3 })
      expect(resultOf(await plugin.execute('read_file', { path: file }))).to.deep.equal({ text: 'é\n' })
    })

    it('may not return more than the host takes', async () => {
      await reopen({ max_payload_bytes: 10 })
      await plugin.start()
      expect(resultOf(await plugin.execute('echo', '12345678'))).to.equal('12345678')
      const { name, message, details } = errorOf(await plugin.execute('echo', '123456789'))
      expect(name).to.equal('payload_too_large')
      expect(message).to.equal(
        'Cannot return the result: it is 11 bytes of JSON, at most 10 bytes are allowed',
      )
      expect(details).to.deep.equal({ limit: 10, measured: 11 })
    })
  })

  describe('while operations run', () => {
    it('waits let other calls, hooks and pings through', async () => {
      await plugin.start()
      const waits = plugin.execute('wait_for_cancel')
      expect(resultOf(await plugin.execute('count'))).to.deep.equal({ count: 1 })
      expect(resultOf(await plugin.call('ping', {}))).to.equal(null)
      expect(resultOf(await plugin.call('health', {}))).to.deep.equal({
        health: { status: 'healthy', count: 1 },
      })
      plugin.connection.notify('cancel', { id: 2 })
      expect(errorOf(await waits).name).to.equal('cancelled')
    })

    it('sleeps end at their time', async () => {
      await plugin.start()
      const both = [
        plugin.execute('sleep', { duration_ms: 60 }),
        plugin.execute('sleep', { duration_ms: 20 }),
      ]
      const started = performance.now()
      expect(resultOf(await Promise.race(both))).to.deep.equal({ slept_ms: 20 })
      expect(resultOf(await both[0]!)).to.deep.equal({ slept_ms: 60 })
      expect(performance.now() - started).to.be.within(55, 5_000)
    })

    it('a ping waits for code that never gives way, so that a plugin that hangs is seen to hang', async () => {
      await plugin.start()
      void plugin.execute('spin')
      let isAnswered = false
      void plugin.call('ping', {}).then(() => (isAnswered = true))
      const other = open()
      await other.start()
      await other.stop()
      expect(isAnswered).to.equal(false)
    })

    it('progress and logs arrive before the answer, at the levels that are asked for', async () => {
      await reopen({ log_level: 'warn' })
      await plugin.start()
      const answer = await plugin.execute('report_progress', { steps: 1000 }, { progress: true })
      expect(resultOf(answer)).to.deep.equal({ steps: 1000 })
      expect(plugin.progress[0]).to.deep.equal({ id: 2, fraction: 0.001, message: 'step 1 of 1000' })
      expect(plugin.progress.at(-1)).to.deep.equal({ id: 2, fraction: 1, message: 'step 1000 of 1000' })
      expect(plugin.progress.length).to.be.below(200)
      await plugin.execute('report_progress', { steps: 3 })
      expect(plugin.progress.every(({ id }) => id === 2)).to.equal(true)
      for (const level of ['info', 'warn']) await plugin.execute('log', { level, message: `a ${level}` })
      expect(plugin.logs).to.deep.equal([{ level: 'warn', message: 'a warn', execution_id: 'exec-5' }])
    })

    it('shutdown cancels what is open and ends the process', async () => {
      await plugin.start()
      const waits = plugin.execute('wait_for_cancel')
      expect(resultOf(await plugin.call('shutdown', {}))).to.equal(null)
      expect(errorOf(await waits).name).to.equal('cancelled')
      expect(await plugin.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.ok, signal: null })
    })
  })

  describe('hooks', () => {
    it('veto a configuration, and leave a change of it to a new process', async () => {
      await plugin.start()
      const veto = async (depth: number) =>
        resultOf(await plugin.call('validate_config', { config: { depth } }))
      expect(await veto(10)).to.deep.equal({ veto: null })
      expect(await veto(11)).to.deep.equal({ veto: 'depth must be at most 10' })
      const configured = await plugin.call('configure', { config: {}, log_level: 'debug' })
      expect(resultOf(configured)).to.deep.equal({ applied: false })
      await plugin.execute('log', { level: 'debug', message: 'seen' })
      expect(plugin.logs.map(({ message }) => message)).to.deep.equal(['seen'])
    })

    it('hand a state on', async () => {
      await reopen({ previous_state: { count: 41 } })
      await plugin.start()
      expect(resultOf(await plugin.execute('count'))).to.deep.equal({ count: 42 })
      expect(resultOf(await plugin.call('quiesce', {}))).to.equal(null)
      expect(resultOf(await plugin.call('export_state', {}))).to.deep.equal({ state: { count: 42 } })
      expect(resultOf(await plugin.call('resume', {}))).to.equal(null)
      expect(errorOf(await plugin.call('dance', {})).name).to.equal('METHOD_NOT_FOUND')
    })
  })
})
