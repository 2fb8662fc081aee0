import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { columnsOf, wordOf } from '../../../helpers/docs-pages.ts'
import type { WatGuest } from '../../../helpers/wat-guest.ts'
import { failureOf, GuestWorld } from './guest-world.ts'

/** Its input is the frame of a host call, its result what the host answered. */
const ASKS: WatGuest = {
  callsHost: true,
  execute: `(local.set $r (call $call (local.get $payload) (local.get $length)))
    (call $result (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.wrap_i64 (local.get $r)))`,
}

interface HostAnswer {
  result?: unknown
  error?: { code: number; message: string; data?: unknown }
}

function frame(method: string, params: object = {}): Buffer {
  return Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 7, method, params })}\n`)
}

async function ask(world: GuestWorld, method: string, params: object = {}): Promise<HostAnswer> {
  const answer = await world.send(frame(method, params), { progress: true }).answer
  if (answer.error !== null) throw new Error(answer.error.message)
  return JSON.parse(String(answer.payload)) as HostAnswer
}

describe('Host calls of phantom-wasm v1', () => {
  let world: GuestWorld

  beforeEach(async () => {
    world = await GuestWorld.started(ASKS)
  })

  it('logs in the name of the call that runs', async () => {
    expect(await ask(world, 'log', { level: 'warn', message: 'mind the gap' })).to.deep.equal({
      jsonrpc: '2.0',
      id: 7,
      result: null,
    })
    expect(world.said).to.deep.equal([{ level: 'warn', message: 'mind the gap', executionId: 'exec-1' }])
  })

  it('reports progress of the call that runs', async () => {
    await ask(world, 'progress', { fraction: 0.5, message: 'halfway' })
    await ask(world, 'progress', { message: 'later' })
    expect(world.progress).to.deep.equal([
      { id: 1, fraction: 0.5, message: 'halfway' },
      { id: 2, message: 'later' },
    ])
  })

  it('says how much time is left', async () => {
    const { result } = await ask(world, 'remaining_ms')
    expect((result as { remaining_ms: number }).remaining_ms).to.be.within(1, 10_000)
  })

  it('sleeps for as long as it was asked to', async () => {
    const startedMs = performance.now()
    expect((await ask(world, 'sleep', { duration_ms: 30 })).result).to.equal(null)
    expect(performance.now() - startedMs).to.be.at.least(29)
  })

  it('has a message passed on, and answers when it waits', async () => {
    const params = { recipient: 'reports', type: 'build_done' }
    const line = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'send_message', params, payload_bytes: 7 })
    const answer = await world.send(Buffer.from(`${line}\n{"n":1}`)).answer
    if (answer.error !== null) throw new Error(failureOf(answer))
    const { result } = JSON.parse(String(answer.payload)) as HostAnswer
    expect(result).to.deep.equal({ message_id: 'message-1' })
    await ask(world, 'send_message', params)
    expect(world.sent).to.deep.equal([
      { ...params, payload: '{"n":1}' },
      { ...params, payload: null },
    ])
  })

  it('ends a sleep when the call is cancelled', async () => {
    const { call, answer } = world.send(frame('sleep', { duration_ms: 60_000 }))
    setImmediate(() => call.abort())
    const ended = await answer
    if (ended.error !== null) throw new Error(failureOf(ended))
    const { error } = JSON.parse(String(ended.payload)) as HostAnswer
    expect(error).to.deep.include({ code: -34004, message: 'The call was cancelled' })
  })

  it('ends no sleep of a call that came behind a cancelled one', async () => {
    const first = world.send(frame('sleep', { duration_ms: 60_000 }))
    const second = world.send(frame('sleep', { duration_ms: 1 }))
    setImmediate(() => first.call.abort())
    await first.answer
    const answer = await second.answer
    expect(answer.error === null && (JSON.parse(String(answer.payload)) as HostAnswer).result).to.equal(null)
  })

  it('does not run a call that was cancelled while it waited', async () => {
    const first = world.send(frame('sleep', { duration_ms: 20 }))
    const second = world.send(frame('log', { level: 'info', message: 'never' }))
    second.call.abort()
    await first.answer
    expect(failureOf(await second.answer)).to.match(/^cancelled: /)
    expect(world.said).to.deep.equal([])
  })

  it('tells a plugin that computes and asks that it was cancelled', async () => {
    // Asks until the answer has "true" where it said "false" before.
    const polls = await GuestWorld.started({
      callsHost: true,
      execute: `(loop $again
        (local.set $r (call $call (local.get $payload) (local.get $length)))
        (local.set $a (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))))
        (global.set $top (local.get $a))
        (br_if $again (i32.ne (i32.load8_u (i32.add (local.get $a) (i32.const 46))) (i32.const 116))))
        (call $result (i32.const 0) (i32.const 0))`,
    })
    const { call, answer } = polls.send(frame('is_cancelled'))
    setTimeout(() => call.abort(), 20)
    expect((await answer).error).to.equal(null)
  })

  it('are those of docs/wasm-abi.md', async () => {
    const { error } = await ask(world, 'none')
    const documented = columnsOf('docs/wasm-abi.md', 'wasm-host-calls').map(([name]) => wordOf(name))
    expect(error?.message).to.equal(`Cannot call "none": the host has ${documented.join(', ')}`)
  })

  for (const [what, method, params, words] of [
    ['a method that is not there', 'exec', {}, /^Cannot call "exec": the host has log, progress, /],
    [
      'a level that is none',
      'log',
      { level: 'loud', message: 'x' },
      /expected a level out of debug, info, warn, error, found "loud"/,
    ],
    ['a recipient that is no text', 'send_message', { type: 'x' }, /expected a recipient that is text/],
    [
      'a message that is no text',
      'log',
      { level: 'info', message: 1 },
      /expected a message that is text, found 1/,
    ],
    [
      'a fraction that is no number',
      'progress',
      { fraction: '1' },
      /expected a fraction from 0 to 1 or null, found "1"/,
    ],
    ['a sleep below 0', 'sleep', { duration_ms: -1 }, /expected a duration_ms from 0 on, found -1/],
    ['a url that is none', 'fetch', { url: 'nowhere' }, /expected a url, found "nowhere"/],
    ['a scheme that is none of the web', 'fetch', { url: 'file:///etc/passwd' }, /^fetch failed: .+/],
    ['a port that is none', 'fetch', { url: 'http://127.0.0.1:1/', timeout_ms: 1e300 }, /^fetch failed: .+/],
    [
      'headers that are no texts',
      'fetch',
      { url: 'http://a', headers: { a: 1 } },
      /expected headers that are texts/,
    ],
  ] as const) {
    it(`answers ${what} with an error, and the plugin goes on`, async () => {
      const { error } = await ask(world, method, params)
      expect(error?.code).to.equal(-34001)
      expect(error?.message).to.match(words)
      expect((await ask(world, 'is_cancelled')).result).to.deep.equal({ cancelled: false })
    })
  }

  it('says why a fetch broke off, and loses no cookie', async () => {
    const server = http.createServer((request, response) => {
      if (request.url === '/cut')
        response.writeHead(200, { 'content-length': 100 }).write('abc', () => request.socket.destroy())
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
      else response.writeHead(200, { 'set-cookie': ['a=1; expires=Mon, 1 Jan', 'b=2'] }).end('hello')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      expect((await ask(world, 'fetch', { url: `${at}/cut` })).error?.message).to.match(
        /^terminated: .*closed/,
      )
      expect((await ask(world, 'fetch', { url: `${at}/loop` })).error?.message).to.equal(
        'fetch failed: redirect count exceeded',
      )
      const asked = await world.send(frame('fetch', { url: at })).answer
      const line = String(asked.error === null ? asked.payload : asked.error.message).split('\n', 1)
      const { result } = JSON.parse(line[0] ?? '') as { result: { headers: Record<string, string> } }
      expect(result.headers['set-cookie']).to.equal('a=1; expires=Mon, 1 Jan\nb=2')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  for (const [what, text, words] of [
    ['garbage', 'nonsense\n', /its host call is no JSON/],
    ['nothing', '', /its host call has no newline/],
    ['an answer', '{"jsonrpc":"2.0","id":1,"result":null}\n', /its host call is no request/],
    ['a notification', '{"jsonrpc":"2.0","method":"log","params":{}}\n', /its host call is no request/],
    [
      'params that are none',
      '{"jsonrpc":"2.0","id":1,"method":"log","params":7}\n',
      /its host call is no request/,
    ],
  ] as const) {
    it(`ends a call that asks its host ${what}`, async () => {
      const answer = await world.execute(text)
      expect(failureOf(answer)).to.match(words)
      expect(failureOf(answer)).to.match(/^fault: /)
      expect((await ask(world, 'is_cancelled')).result, 'anew').to.deep.equal({ cancelled: false })
    })
  }

  it('ends a call whose request lies outside of its memory', async () => {
    const outside = await GuestWorld.started({
      callsHost: true,
      execute: '(drop (call $call (i32.const -5) (i32.const 10))) (i64.const 0)',
    })
    expect(failureOf(await outside.execute('1'))).to.match(/^fault: .*its host call lies at 4294967291/)
  })

  it('refuses a host call out of phantom_alloc, also while the plugin waits', async () => {
    const reenters = await GuestWorld.started({
      ...ASKS,
      without: ['phantom_free'],
      more: `(global $ran (mut i32) (i32.const 0))
        (func (export "phantom_free") (param i32 i32)
          (if (global.get $ran) (then (drop (call $call (i32.const 0) (i32.const 0))))))`,
      execute: '(global.set $ran (i32.const 1)) (call $result (local.get $payload) (local.get $length))',
    })
    expect(failureOf(await reenters.execute('1'))).to.match(/^fault: /)
  })

  it('says what was logged last before a trap, as the plugin’s own words', async () => {
    const panics = await GuestWorld.started({ ...ASKS, execute: `${ASKS.execute} drop unreachable` })
    expect(
      failureOf(await panics.execute(frame('log', { level: 'error', message: 'index 7 of 3' }))),
    ).to.equal('fault: index 7 of 3')
    expect(failureOf(await panics.execute(frame('log', { level: 'info', message: 'hello' })))).to.equal(
      'fault: the plugin trapped: unreachable',
    )
  })

  it('knows the words of an allocator that found no memory', async () => {
    const panics = await GuestWorld.started({ ...ASKS, execute: `${ASKS.execute} drop unreachable` })
    const message = 'memory allocation of 4096 bytes failed'
    expect(failureOf(await panics.execute(frame('log', { level: 'error', message })))).to.equal(
      `out_of_memory: ${message}`,
    )
  })

  it('gives 0 where the plugin has no room for an answer', async () => {
    const full = await GuestWorld.started({
      callsHost: true,
      without: ['phantom_alloc'],
      more: `(global $given (mut i32) (i32.const 0))
        (func $alloc (export "phantom_alloc") (param $n i32) (result i32)
          (global.set $given (i32.add (global.get $given) (i32.const 1)))
          (if (i32.gt_u (global.get $given) (i32.const 2)) (then (return (i32.const 0))))
          (i32.const 20000))`,
      execute: `(if (i64.ne (i64.const 0) (call $call (local.get $payload) (local.get $length))) (then unreachable))
        (call $result (i32.const 0) (i32.const 0))`,
    })
    expect((await full.execute(frame('is_cancelled'))).error).to.equal(null)
  })
})
