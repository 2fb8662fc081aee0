import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import { MAX_FRAME_BYTES } from '../../src/contract/limits.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { samplesOf } from '../helpers/docs-pages.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures/plugins')
const ALL_HOOKS = ['health', 'validate_config', 'configure', 'quiesce', 'resume', 'export_state'] as const

type Initialize = Partial<RunnerParams['initialize']>

describe('sandbox-runner, the hooks of a plugin', () => {
  let file: string
  let folder: string
  let runner: RunnerDriver | null = null
  let startResult: Record<string, unknown> = {}

  before(() => {
    file = buildRunner()
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-runner-'))
  })
  afterEach(async () => {
    await runner?.stop()
    runner = null
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  /** Starts a fixture by its name, or a definition by the text between its braces. */
  async function started(plugin: string, initialize: Initialize = {}): Promise<RunnerDriver> {
    await runner?.stop()
    let entry = path.join(FIXTURES, plugin, 'index.mjs')
    if (!/^[a-z-]+$/.test(plugin)) {
      entry = path.join(folder, 'index.mjs')
      fs.writeFileSync(entry, `export default { operations: { fine: () => 'fine' }, ${plugin} }`)
    }
    runner = new RunnerDriver({ runner: file, entry, initialize })
    startResult = resultOf(await runner.start()) as Record<string, unknown>
    return runner
  }

  describe('in the answer of initialize', () => {
    it('are those that the plugin has, in the order of the contract', async () => {
      await started('initialize() {}, shutdown() {}, metadata: () => 1')
      expect(startResult['hooks']).to.deep.equal([])
      await started('export_state() {}, health() {}, quiesce: undefined')
      expect(startResult['hooks']).to.deep.equal(['health', 'export_state'])
      await started(
        ALL_HOOKS.toReversed()
          .map((hook) => `${hook}() {}`)
          .join(),
      )
      expect(startResult['hooks']).to.deep.equal([...ALL_HOOKS])
    })

    it('may be called all the same where there are none: nothing comes of it', async () => {
      const bare = await started('resume: undefined')
      const answers = await Promise.all(
        ALL_HOOKS.map((hook) => bare.call(hook, { config: {}, log_level: 'info' })),
      )
      expect(answers.map(resultOf)).to.deep.equal([
        { health: null },
        { veto: null },
        { applied: false },
        null,
        null,
        {},
      ])
    })
  })

  for (const hook of ALL_HOOKS) {
    it(`end the process when "${hook}" is called before the start was answered`, async () => {
      runner = new RunnerDriver({ runner: file, entry: path.join(FIXTURES, 'counter-state/index.mjs') })
      void runner.call(hook, { config: {}, log_level: 'info' })
      expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
    })
  }

  describe('quiesce, resume and export_state', () => {
    it('hand the state of one process to the next', async () => {
      const old = await started('counter-state')
      await old.execute('add', 5)
      expect(resultOf(await old.call('quiesce', {}))).to.equal(null)
      const { state } = resultOf(await old.call('export_state', {})) as { state: unknown }
      expect(state).to.deep.equal({ count: 5, quiesced: 1 })
      const next = await started('counter-state', { generation: 4, previous_state: state })
      expect(resultOf(await next.execute('describe'))).to.deep.include({
        count: 5,
        generation: 4,
        previous_state: state,
      })
    })

    it('go on with calls after resume', async () => {
      const counter = await started('counter-state')
      await counter.call('quiesce', {})
      expect(resultOf(await counter.call('resume', {}))).to.equal(null)
      expect(resultOf(await counter.execute('describe'))).to.deep.include({
        quiesced: 1,
        resumed: 1,
        count: 0,
      })
    })

    it('give initialize no previous_state where there was none, and null where it was null', async () => {
      const source = `initialize({ previous_state }) { globalThis.seen = String(previous_state) },
        metadata: () => globalThis.seen`
      await started(source)
      expect(startResult['metadata']).to.equal('undefined')
      await started(source, { previous_state: null })
      expect(startResult['metadata']).to.equal('null')
    })

    it('let the previous state go when the plugin has started', async () => {
      const keeping = await started(
        'initialize(context) { globalThis.kept = context }, health: () => typeof globalThis.kept.previous_state',
        { previous_state: { count: 1 } },
      )
      expect(resultOf(await keeping.call('health', {}))).to.deep.equal({ health: 'undefined' })
    })

    it('tell nothing from null', async () => {
      expect(resultOf(await (await started('export_state() {}')).call('export_state', {}))).to.deep.equal({})
      const nulls = await started('export_state: async () => null')
      expect(resultOf(await nulls.call('export_state', {}))).to.deep.equal({ state: null })
    })

    const BAD_STATES: [what: string, source: string, words: RegExp][] = [
      ['a circle', '{ const ring = {}; ring.ring = ring; return ring }', /Converting circular structure/],
      ['a BigInt', '{ return { big: 10n } }', /BigInt/],
      ['a function', '{ return () => 1 }', /it is a function/],
      ['bytes', '{ return new Uint8Array(9) }', /it is bytes/],
      [
        'what nests too deep',
        '{ let deep = 1; for (let i = 0; i < 127; i += 1) deep = [deep]; return deep }',
        /nests deeper/,
      ],
      ['a key that poisons', '{ return JSON.parse(\'{"__proto__":1}\') }', /__proto__/],
      ['a throwing getter', "{ return { get x() { throw new Error('no x') } } }", /no x/],
      ['a throwing then', "{ return { get then() { throw new Error('no then') } } }", /^no then$/],
      [
        'too much',
        `{ return 'x'.repeat(${MAX_FRAME_BYTES}) }`,
        /it is 1048578 bytes of JSON, at most 1047552/,
      ],
      ['too much, counted in bytes', `{ return 'ä'.repeat(${MAX_FRAME_BYTES / 2}) }`, /it is 1048578 bytes/],
    ]
    for (const [what, source, words] of BAD_STATES) {
      it(`refuse ${what} as a state, in words, and go on`, async () => {
        const bad = await started(`export_state() ${source}`)
        const { name, message } = errorOf(await bad.call('export_state', {}))
        expect(name).to.equal('fault')
        expect(message).to.match(words)
        expect(resultOf(await bad.execute('fine'))).to.equal('fine')
      })
    }

    it('carry the largest state there is, there and back', async () => {
      const large = await started(`export_state: () => 'x'.repeat(${MAX_FRAME_BYTES} - 1026)`)
      const { state } = resultOf(await large.call('export_state', {})) as { state: string }
      expect(state).to.have.length(MAX_FRAME_BYTES - 1026)
      const next = await started(
        `initialize({ previous_state }) { globalThis.got = previous_state.length }, health: () => globalThis.got`,
        { previous_state: state },
      )
      expect(resultOf(await next.call('health', {}))).to.deep.equal({ health: MAX_FRAME_BYTES - 1026 })
    })

    it('pass on what they throw, and go on', async () => {
      const source = `quiesce() { throw new Error('not now') }, resume: () => Promise.reject('never'), export_state() { throw null }`
      const throwing = await started(source)
      expect(errorOf(await throwing.call('quiesce', {}))).to.include({ name: 'fault', message: 'not now' })
      expect(errorOf(await throwing.call('resume', {}))).to.include({ name: 'fault', message: 'never' })
      expect(errorOf(await throwing.call('export_state', {}))).to.include({
        name: 'fault',
        message: 'a thrown object: null',
      })
      expect(resultOf(await throwing.execute('fine'))).to.equal('fine')
    })
  })

  describe('validate_config', () => {
    it('says yes, or no in the words of the plugin, and changes nothing', async () => {
      const polite = await started('configurable', { config: { greeting: 'Hello' } })
      const ask = async (config: object) => resultOf(await polite.call('validate_config', { config }))
      expect(await ask({ greeting: 'Hi' })).to.deep.equal({ veto: null })
      expect(await ask({ greeting: 'Go away' })).to.deep.equal({ veto: 'greeting must be friendly' })
      expect(resultOf(await polite.execute('describe'))).to.deep.include({
        config: { greeting: 'Hello' },
        configured: 0,
      })
    })

    it('takes a throw for a no, cuts long words, and takes what is no text for a yes', async () => {
      const source = `validate_config({ how }) {
        if (how === 'throws') throw new TypeError('no such depth')
        if (how === 'hostile') throw new Proxy({}, { get() { throw 1 } })
        if (how === 'never' ) return undefined
        return how === 'long' ? 'x'.repeat(100000) : how
      }`
      const asked = await started(source, { config: { how: 'never' } })
      const veto = async (how: unknown) => {
        const answer = resultOf(await asked.call('validate_config', { config: { how } }))
        return (answer as { veto: string | null }).veto
      }
      expect(await veto('throws')).to.equal('no such depth')
      expect(await veto('hostile')).to.be.a('string')
      expect(await veto('long')).to.have.length(8192)
      for (const how of [null, false, true, 7, {}]) expect(await veto(how), String(how)).to.equal(null)
    })
  })

  describe('configure', () => {
    it('shows the new configuration to the next call, and the old one to who took it off its context', async () => {
      const source = `configure() {}, operations: {
        both: (input, context) => {
          const { config } = context
          return new Promise((resolve) => { globalThis.go = () => resolve([config, context.config]) })
        },
        go: () => { globalThis.go() } }`
      const asked = await started(source, { config: { depth: 1 } })
      const both = asked.execute('both')
      const change = { config: { depth: 2 }, log_level: 'info' }
      expect(resultOf(await asked.call('configure', change))).to.deep.equal({ applied: true })
      await asked.execute('go')
      expect(resultOf(await both)).to.deep.equal([{ depth: 1 }, { depth: 2 }])
    })

    it('shows the old configuration until the hook is done', async () => {
      const source = `async configure(config) { await new Promise((resolve) => { globalThis.go = resolve }) },
        operations: { show: (_, { config }) => config, go: () => globalThis.go() }`
      const asked = await started(source, { config: { depth: 1 } })
      const configured = asked.call('configure', { config: { depth: 2 }, log_level: 'info' })
      expect(resultOf(await asked.execute('show'))).to.deep.equal({ depth: 1 })
      await asked.execute('go')
      expect(resultOf(await configured)).to.deep.equal({ applied: true })
      expect(resultOf(await asked.execute('show'))).to.deep.equal({ depth: 2 })
    })

    it('leaves the old configuration when the hook throws, and says its words', async () => {
      const config = { greeting: 'Hello', refuses: false }
      const polite = await started('configurable', { config })
      const change = { config: { greeting: 'Hi', refuses: true }, log_level: 'info' }
      const { name, message } = errorOf(await polite.call('configure', change))
      expect([name, message]).to.deep.equal(['fault', 'this needs a new process'])
      expect(resultOf(await polite.execute('describe'))).to.deep.include({ config, configured: 0 })
      expect(resultOf(await polite.execute('greet', 'Ada'))).to.equal('Hello Ada')
    })

    it('applies log level and verbosity alone where there is no hook', async () => {
      const plain = await started('not-configurable', { config: { greeting: 'Hello', log_level: 'warn' } })
      const change = { config: { greeting: 'Hi', log_level: 'debug', verbose: true }, log_level: 'debug' }
      expect(resultOf(await plain.call('configure', change))).to.deep.equal({ applied: false })
      expect(resultOf(await plain.execute('describe'))).to.deep.include({
        config: { greeting: 'Hello', log_level: 'debug', verbose: true },
      })
      await plain.call('configure', { config: { greeting: 'Hi' }, log_level: 'info' })
      expect(resultOf(await plain.execute('describe'))).to.deep.include({ config: { greeting: 'Hello' } })
    })

    it('changes the log level at once, also of a log that the plugin has already', async () => {
      const polite = await started('configurable', { config: { greeting: 'Hello' } })
      const setLevel = async (log_level: string) =>
        resultOf(await polite.call('configure', { config: { greeting: 'Hello' }, log_level }))
      await polite.execute('log_debug')
      expect(polite.logs).to.deep.equal([])
      await setLevel('debug')
      await polite.execute('log_debug')
      expect(polite.logs).to.deep.equal([{ level: 'debug', message: 'a debug line' }])
      await setLevel('error')
      await polite.execute('log_debug')
      expect(polite.logs).to.have.length(1)
    })
  })

  it('do in the sample of docs/writing-plugins.md what the page says', async () => {
    const sample = samplesOf('docs/writing-plugins.md').find(
      ({ name }) => name === 'my-plugins/tally/index.js',
    )
    fs.writeFileSync(path.join(folder, 'tally.mjs'), sample?.text ?? '')
    const settings = { runner: file, entry: path.join(folder, 'tally.mjs') }
    runner = new RunnerDriver({ ...settings, initialize: { config: { step: 2 } } })
    resultOf(await runner.start())
    expect(resultOf(await runner.execute('add'))).to.equal(2)
    const refused = resultOf(await runner.call('validate_config', { config: { step: 0 } }))
    expect(refused).to.deep.equal({ veto: 'step must not be 0' })
    await runner.call('configure', { config: { step: 5 }, log_level: 'info' })
    expect(resultOf(await runner.execute('add'))).to.equal(7)
    const exported = resultOf(await runner.call('export_state', {})) as { state: unknown }
    await runner.stop()
    runner = new RunnerDriver({
      ...settings,
      initialize: { config: { step: 1 }, previous_state: exported.state },
    })
    resultOf(await runner.start())
    expect(resultOf(await runner.execute('add'))).to.equal(8)
  })

  it('that hang keep neither pings nor calls nor the end waiting', async () => {
    const never = '() { return new Promise(() => {}) }'
    const hanging = await started(
      `configure${never}, quiesce${never}, resume${never}, export_state${never}, health: () => 'well'`,
    )
    let answered = 0
    for (const hook of ['configure', 'quiesce', 'resume', 'export_state']) {
      void hanging.call(hook, { config: {}, log_level: 'info' }).then(() => (answered += 1))
    }
    expect(resultOf(await hanging.call('ping', {}))).to.equal(null)
    expect(resultOf(await hanging.execute('fine'))).to.equal('fine')
    expect(resultOf(await hanging.call('health', {}))).to.deep.equal({ health: 'well' })
    expect(resultOf(await hanging.call('validate_config', { config: {} }))).to.deep.equal({ veto: null })
    expect(answered).to.equal(0)
    expect(resultOf(await hanging.call('shutdown', {}))).to.equal(null)
    expect((await hanging.exited).code).to.equal(0)
  })

  it('are asked, and pings answered, while an operation waits', async () => {
    const source =
      'health: () => 1, operations: { waits: () => new Promise(() => setInterval(() => {}, 1000)) }'
    const waiting = await started(source)
    let isAnswered = false
    void waiting.execute('waits').then(() => (isAnswered = true))
    expect(resultOf(await waiting.call('ping', {}))).to.equal(null)
    expect(resultOf(await waiting.call('health', {}))).to.deep.equal({ health: 1 })
    expect(isAnswered).to.equal(false)
  })
})
