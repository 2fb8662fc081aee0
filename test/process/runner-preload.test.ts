import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { until } from '../helpers/daemon.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const ECHO = `export default { operations: { echo: (input) => input, code: () => new Function('return 1')() },
  validate_config() { console.error('validate_config') },
  initialize() { console.error('initialize') },
  metadata() { console.error('metadata') },
  shutdown() { console.error('shutdown') } }`

describe('sandbox-runner, as a standby', () => {
  let file: string
  let folder: string
  let runner: RunnerDriver

  before(() => {
    file = buildRunner()
  })
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-runner-'))
  })
  afterEach(async () => {
    await runner.stop()
    fs.rmSync(folder, { recursive: true })
  })

  function plugin(source: string, initialize: Partial<RunnerParams['initialize']> = {}): void {
    const entry = path.join(folder, 'index.mjs')
    fs.writeFileSync(entry, source)
    runner = new RunnerDriver({ runner: file, entry, initialize })
  }

  it('loads the code and calls no hook until it is initialized', async () => {
    plugin(`console.error('loaded')\n${ECHO}`)
    expect(resultOf(await runner.preload())).to.equal(null)
    expect(resultOf(await runner.call('ping', {}))).to.equal(null)
    expect(runner.stderr).to.equal('loaded\n')
    expect(resultOf(await runner.start())).to.deep.include({
      operations: ['echo', 'code'],
      hooks: ['validate_config'],
    })
    // Another pipe than the answer's: which of the two is read first is nobody's promise.
    await until(() => runner.stderr.endsWith('metadata\n'), 'all that it printed')
    expect(runner.stderr).to.equal('loaded\nvalidate_config\ninitialize\nmetadata\n')
    expect(resultOf(await runner.execute('echo', 5))).to.equal(5)
  })

  it('takes an initialize that comes before the code is loaded', async () => {
    plugin(ECHO)
    const [preloaded, started] = await Promise.all([runner.preload(), runner.start()])
    expect(resultOf(preloaded)).to.equal(null)
    expect(resultOf(started)).to.deep.include({ operations: ['echo', 'code'] })
  })

  it('forbids eval before the code is loaded, and allows it where the plugin may', async () => {
    plugin(`new Function('return 1')()\n${ECHO}`)
    expect(errorOf(await runner.preload()).message).to.contain('Cannot make code from a string')
    await runner.stop()
    plugin(ECHO, { eval: true })
    resultOf(await runner.preload())
    resultOf(await runner.start())
    expect(resultOf(await runner.execute('code'))).to.equal(1)
  })

  it('answers code that does not load or fit as a start does, twice if it is asked twice', async () => {
    plugin('\nconst = 5\n')
    const words = "index.mjs:2: SyntaxError: Unexpected token '='"
    expect(errorOf(await runner.preload())).to.include({ name: 'fault', message: words })
    expect(errorOf(await runner.start())).to.include({ name: 'fault', message: words })
    expect(resultOf(await runner.call('shutdown', {}))).to.equal(null)
    expect((await runner.exited).code).to.equal(0)
    plugin(ECHO, { operations: [{ name: 'ehco', input_schema: null, input_validator: null }] })
    expect(errorOf(await runner.preload()).message).to.contain(
      'declares operations that the code lacks: "ehco"',
    )
  })

  it('refuses another major version and ends', async () => {
    plugin(ECHO)
    expect(errorOf(await runner.preload({ protocol_version: '2.0' })).message).to.contain('runner speaks 1.2')
    expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
  })

  it('ends in order without having been initialized, and runs no shutdown()', async () => {
    plugin(ECHO)
    resultOf(await runner.preload())
    expect(resultOf(await runner.call('shutdown', {}))).to.equal(null)
    expect((await runner.exited).code).to.equal(0)
    expect(runner.stderr).to.equal('')
  })

  const OTHER: [what: string, preload: Partial<RunnerParams['preload']>][] = [
    ['entry', { entry: '/elsewhere/index.mjs' }],
    ['operations', { operations: [{ name: 'echo', input_schema: null, input_validator: null }] }],
    ['right to eval', { eval: true }],
    ['number of threads', { threads: 1 }],
  ]
  for (const [what, preload] of OTHER) {
    it(`ends the process when initialize has another ${what}`, async () => {
      plugin(ECHO)
      await runner.preload(preload)
      void runner.start()
      expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
    })
  }

  it('ends the process when preload comes twice, after initialize, or before a call', async () => {
    const steps: (() => unknown)[][] = [
      [() => runner.preload(), () => runner.preload()],
      [() => runner.start(), () => runner.preload()],
      [() => runner.preload(), () => runner.execute('echo', 1)],
      [() => runner.preload(), () => runner.call('quiesce', {})],
    ]
    for (const [first, second] of steps) {
      plugin(ECHO)
      await first?.()
      void second?.()
      expect((await runner.exited).code).to.equal(RUNNER_EXIT_CODES.protocol)
    }
  })
})
