import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { watGuest, type WatGuest } from '../helpers/wat-guest.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const MAX_PAGES = 256 * 16
/** Leaves how many of its pages it got, one digit for each 512, and goes on. */
const GROWS = `(loop $more
    (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 2)))))
  (i32.store8 (i32.const 60000) (i32.add (i32.const 48) (i32.div_u (memory.size) (i32.const 512))))
  (call $result (i32.const 60000) (i32.const 1))`
const SLEEPS: WatGuest = {
  callsHost: true,
  initialize: '"operations":["echo"],"hooks":["health"]',
  answers: { health: '{"health":{"status":"healthy"}}' },
  texts: { sleep: '{"jsonrpc":"2.0","id":1,"method":"sleep","params":{"duration_ms":60000}}\n' },
  execute: `(if (i32.eq (local.get $length) (i32.const 1))
      (then (return (call $result (local.get $payload) (local.get $length)))))
    (drop (call $call (call $text_sleep)))
    (call $result (local.get $payload) (local.get $length))`,
}

describe('sandbox-runner, with a WebAssembly plugin', () => {
  let file: string
  let folder: string
  let runner: RunnerDriver

  before(() => {
    file = buildRunner()
  })
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-wasm-'))
  })
  afterEach(async () => {
    await runner.stop()
    fs.rmSync(folder, { recursive: true })
  })

  function plugin(guest: WatGuest, initialize: Partial<RunnerParams['initialize']> = {}): void {
    const entry = path.join(folder, 'plugin.wasm')
    fs.writeFileSync(entry, watGuest(guest))
    runner = new RunnerDriver({
      runner: file,
      entry,
      initialize: { workspace: folder, data_dir: folder, ...initialize },
    })
  }

  it('compiles it ahead and begins it later: a standby runs nothing of it', async () => {
    plugin({ more: '(func (export "_initialize") (unreachable))' })
    expect(resultOf(await runner.preload())).to.equal(null)
    expect(errorOf(await runner.start()).message).to.equal('the plugin trapped: unreachable')
  })

  it('serves it, and ends in order', async () => {
    plugin({})
    expect(resultOf(await runner.start())).to.deep.include({ operations: ['echo'], hooks: [] })
    expect(resultOf(await runner.execute('echo', { a: 1 }))).to.deep.equal({ a: 1 })
    expect(resultOf(await runner.call('shutdown', {}))).to.equal(null)
    expect(await runner.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.ok, signal: null })
    expect(runner.stderr).to.equal('')
  })

  it('lets it grow to its limit and no page further', async () => {
    plugin({ execute: GROWS })
    await runner.start()
    expect(resultOf(await runner.execute('echo'))).to.equal(Math.floor(MAX_PAGES / 512))
  })

  it('holds its tables to what V8 was told', async () => {
    plugin({
      more: '(table $t 1 funcref)',
      execute: `(i32.store8 (i32.const 60000) (i32.add (i32.const 48) (i32.eq (i32.const -1)
          (table.grow $t (ref.null func) (i32.const 100000)))))
        (i32.store8 (i32.const 60001) (i32.add (i32.const 48) (i32.eq (i32.const -1)
          (table.grow $t (ref.null func) (i32.const 99000)))))
        (if (i32.eq (i32.load16_u (i32.const 60000)) (i32.const 0x3031))
          (then (i32.store8 (i32.const 60000) (i32.const 55))))
        (call $result (i32.const 60000) (i32.const 1))`,
    })
    await runner.start()
    expect(resultOf(await runner.execute('echo')), 'one refused, one granted').to.equal(7)
  })

  it('refuses one that needs more memory than it may have, by name', async () => {
    plugin({ memory: '5000' })
    const { message } = errorOf(await runner.start())
    expect(message).to.match(
      /^its module is not loaded: its memory begins with 313 MB, and the limit is 256\./,
    )
  })

  it('answers pings while it sleeps, and hooks when it is done', async () => {
    plugin(SLEEPS)
    await runner.start()
    const order: string[] = []
    const told = (name: string) => () => void order.push(name)
    const call = runner.execute('echo', 'sleep').then(told('call'))
    const health = runner.call('health', {}).then(told('health'))
    await runner.call('ping', {}).then(told('ping'))
    runner.connection.notify('cancel', { id: 2 })
    await Promise.all([call, health])
    expect(order).to.deep.equal(['ping', 'call', 'health'])
    expect(resultOf(await runner.execute('echo', 1))).to.equal(1)
  })

  it('ends in order while it sleeps', async () => {
    plugin(SLEEPS)
    await runner.start()
    const call = runner.execute('echo', 'sleep')
    expect(resultOf(await runner.call('shutdown', {}))).to.equal(null)
    expect((await call).error).to.equal(null)
    expect(await runner.exited).to.deep.equal({ code: RUNNER_EXIT_CODES.ok, signal: null })
  })

  it('holds no memory of instances that trapped', async () => {
    plugin({
      execute: `(drop (memory.grow (i32.const 1024))) (memory.fill (i32.const 131072) (i32.const 1) (i32.const 0x3ff0000)) unreachable`,
    })
    await runner.start()
    const heldMb = (): number =>
      Number(/^RssAnon:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${runner.child.pid}/status`, 'utf8'))?.[1]) /
      1024
    const before = heldMb()
    for (let call = 0; call < 10; call += 1)
      expect(errorOf(await runner.execute('echo')).message).to.equal('the plugin trapped: unreachable')
    expect(heldMb() - before, 'ten times 64 MB').to.be.below(150)
  })

  it('is no part of what a JavaScript plugin starts from', async () => {
    const copy = path.join(folder, 'runner')
    fs.cpSync(path.dirname(file), copy, { recursive: true })
    fs.rmSync(path.join(copy, 'wasm.cjs'))
    const entry = path.join(folder, 'index.mjs')
    fs.writeFileSync(entry, 'export default { operations: { echo: (input) => input } }')
    runner = new RunnerDriver({ runner: path.join(copy, 'main.cjs'), entry })
    await runner.start()
    expect(resultOf(await runner.execute('echo', 5))).to.equal(5)
  })
})
