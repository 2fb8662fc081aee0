import { expect } from 'chai'
import { watGuest, type WatGuest } from '../../../helpers/wat-guest.ts'
import { failureOf, GuestWorld } from './guest-world.ts'

const PACKED = (address: string, length: string): string =>
  `(call $raw (i32.const ${address}) (i32.const ${length}))`

/** What a plugin does wrong in `execute`, and what its caller is told. */
const HOSTILE: Readonly<Record<string, WatGuest & { words: RegExp }>> = {
  'answers from outside of its memory': {
    execute: PACKED('0x7ffffff0', '64'),
    words: /^fault: .*its answer lies at 2147483632 with 64 bytes, outside of its memory of 131072$/,
  },
  'answers from the last byte on': {
    execute: PACKED('131071', '2'),
    words: /^fault: .*outside of its memory/,
  },
  'answers with a negative length': {
    execute: PACKED('16', '-1'),
    words: /^fault: .*with 4294967295 bytes, outside of its memory/,
  },
  'answers from a negative address': {
    execute: PACKED('-16', '16'),
    words: /^fault: .*lies at 4294967280 with 16 bytes, outside/,
  },
  'answers nothing': { execute: '(i64.const 0)', words: /^fault: .*its answer is empty/ },
  'answers without a newline': { execute: PACKED('16', '4'), words: /^fault: .*no newline behind its JSON/ },
  'answers garbage': {
    texts: { garbage: '{"jsonrpc":"2.0","id":\n' },
    execute: '(call $raw (call $text_garbage))',
    words: /^fault: .*its answer is no JSON: /,
  },
  'answers with bytes that are no UTF-8': {
    texts: { garbage: '' },
    execute: `(i32.store (i32.const 60000) (i32.const 0x0afeffff)) ${PACKED('60000', '4')}`,
    words: /^fault: .*its answer is no JSON: /,
  },
  'answers with an array': {
    texts: { array: '[1]\n' },
    execute: '(call $raw (call $text_array))',
    words: /^fault: .*its answer is no JSON object/,
  },
  'answers with __proto__': {
    texts: { proto: '{"jsonrpc":"2.0","id":1,"result":{"__proto__":1}}\n' },
    execute: '(call $raw (call $text_proto))',
    words: /^fault: .*__proto__/,
  },
  'answers to another id': {
    texts: { other: '{"jsonrpc":"2.0","id":99,"result":null}\n' },
    execute: '(call $raw (call $text_other))',
    words: /^fault: .*it answered with id 99 where id 1 was asked/,
  },
  'answers with a call': {
    texts: { other: '{"jsonrpc":"2.0","id":1,"method":"execute","params":{}}\n' },
    execute: '(call $raw (call $text_other))',
    words: /^fault: .*a call of its own where id 1 was asked/,
  },
  'answers neither result nor error': {
    texts: { neither: '{"jsonrpc":"2.0","id":1}\n' },
    execute: '(call $raw (call $text_neither))',
    words: /^fault: .*neither result nor error/,
  },
  'announces more payload than there is': {
    texts: { more: '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":9}\n123' },
    execute: '(call $raw (call $text_more))',
    words: /^fault: .*announces 9 bytes of payload, and 3 bytes stand behind its line/,
  },
  'announces a negative payload': {
    texts: { more: '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":-1}\n' },
    execute: '(call $raw (call $text_more))',
    words: /^fault: .*announces -1 bytes of payload/,
  },
  'says two frames at once': {
    texts: { two: '{"jsonrpc":"2.0","id":1,"result":null}\n{"jsonrpc":"2.0","id":2,"result":null}\n' },
    execute: '(call $raw (call $text_two))',
    words: /^fault: .*announces no payload, and 39 bytes stand behind its line/,
  },
  'fails with an error that is none': {
    texts: { no: '{"jsonrpc":"2.0","id":1,"error":"no"}\n' },
    execute: '(call $raw (call $text_no))',
    words: /^fault: .*its error is "no", expected/,
  },
  traps: { execute: 'unreachable', words: /^fault: the plugin trapped: unreachable$/ },
  'divides by zero': {
    execute: '(drop (i32.div_u (i32.const 1) (i32.const 0))) unreachable',
    words: /^fault: the plugin trapped: divide by zero$/,
  },
  'reads beyond its memory': {
    execute: '(drop (i32.load (i32.const -8))) unreachable',
    words: /^fault: the plugin trapped: memory access out of bounds$/,
  },
  'recurses for ever': {
    execute: '(call $execute (local.get $payload) (i32.add (call $deep (i32.const 1)) (i32.const 1)))',
    more: '(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))',
    words: /^fault: the plugin trapped: Maximum call stack size exceeded$/,
  },
  'calls its host with no frame, and catches what comes of it': {
    callsHost: true,
    execute: `(try (do (drop (call $call (i32.const 0) (i32.const 4)))) (catch_all))
      (call $result (local.get $payload) (local.get $length))`,
    words: /^fault: .*its host call has no newline behind its JSON/,
  },
  'calls its host while it gives room': {
    callsHost: true,
    without: ['phantom_alloc'],
    more: `(global $ran (mut i32) (i32.const 0))
      (func (export "phantom_alloc") (param i32) (result i32)
        (if (global.get $ran) (then (global.set $ran (i32.const 0)) (drop (call $call (i32.const 16) (i32.const 4)))))
        (i32.const 8192))`,
    texts: { ask: '{"jsonrpc":"2.0","id":1,"method":"remaining_ms"}\n' },
    execute: `(global.set $ran (i32.const 1)) (drop (call $call (call $text_ask)))
      (call $result (local.get $payload) (local.get $length))`,
    words:
      /^fault: Cannot go on with the plugin: it called its host, .* where nothing can wait\. .*phantom_alloc/,
  },
  'sleeps while its answer is freed': {
    wasi: ['poll_oneoff'],
    without: ['phantom_free'],
    more: `(global $ran (mut i32) (i32.const 0))
      (func (export "phantom_free") (param i32 i32) (if (global.get $ran)
        (then (drop (call $poll_oneoff (i32.const 60000) (i32.const 60000) (i32.const 1) (i32.const 60200))))))`,
    execute: '(global.set $ran (i32.const 1)) (call $result (local.get $payload) (local.get $length))',
    words:
      /^fault: Cannot go on with the plugin: it called its host, or slept by poll_oneoff, where nothing can wait/,
  },
  'throws what nothing of it catches': {
    more: '(tag $t (param i32))',
    execute: '(throw $t (i32.const 7))',
    words: /^fault: the plugin threw an exception that nothing of it caught$/,
  },
  'answers with a result in its line': {
    texts: { inside: '{"jsonrpc":"2.0","id":1,"result":{"sum":1}}\n' },
    execute: '(call $raw (call $text_inside))',
    words: /^fault: .*its answer has the result in its line; one goes behind it, as payload$/,
  },
  'answers with both': {
    texts: { both: '{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-34001,"message":"no"}}\n' },
    execute: '(call $raw (call $text_both))',
    words: /^fault: .*its answer has both result and error$/,
  },
  'exits where its answer is freed, and catches that': {
    wasi: ['proc_exit'],
    without: ['phantom_free'],
    more: `(global $ran (mut i32) (i32.const 0))
      (func (export "phantom_free") (param i32 i32) (if (global.get $ran)
        (then (try (do (call $proc_exit (i32.const 3))) (catch_all)))))`,
    execute: '(global.set $ran (i32.const 1)) (call $result (local.get $payload) (local.get $length))',
    words: /^fault: The plugin called exit\(3\)$/,
  },
  'exits, and catches that': {
    wasi: ['proc_exit'],
    execute: `(try (do (call $proc_exit (i32.const 3))) (catch_all))
      (call $result (local.get $payload) (local.get $length))`,
    words: /^fault: The plugin called exit\(3\)$/,
  },
  'traps when its answer is freed': {
    without: ['phantom_free'],
    more: `(global $ran (mut i32) (i32.const 0))
      (func (export "phantom_free") (param i32 i32) (if (global.get $ran) (then unreachable)))`,
    execute: '(global.set $ran (i32.const 1)) (call $result (local.get $payload) (local.get $length))',
    words: /^fault: the plugin trapped: unreachable$/,
  },
}

const COUNTS = {
  // How many calls this instance has had, as its result.
  more: '(global $calls (mut i32) (i32.const 0))',
  execute: `(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.gt_u (local.get $length) (i32.const 4)) (then unreachable))
    (i32.store8 (i32.const 60000) (i32.add (i32.const 48) (global.get $calls)))
    (call $result (i32.const 60000) (i32.const 1))`,
} satisfies WatGuest

describe('Guest, a plugin of phantom-wasm v1', () => {
  it('passes an input to the plugin and its answer back, byte for byte', async () => {
    const world = await GuestWorld.started({})
    for (const text of ['"hello"', '{"a":[1,2,3]}', '"\u00fc\u{1f600}"', '']) {
      const answer = await world.execute(text)
      expect(answer.error).to.equal(null)
      if (answer.error === null) expect(answer.payload?.toString()).to.equal(text)
    }
  })

  it('passes a megabyte, for which the memory has to grow', async () => {
    const world = await GuestWorld.started({ memory: '1' })
    const input = Buffer.from(JSON.stringify('x'.repeat(1024 * 1024 - 2)))
    const answer = await world.execute(input)
    expect(answer.error === null && answer.payload?.equals(input)).to.be.true
  })

  it('gives the plugin nothing where there is no input', async () => {
    const world = await GuestWorld.started({ execute: '(call $say (call $text_none))' })
    expect(await world.execute()).to.deep.equal({ error: null, result: null, payload: null })
  })

  it("passes a plugin's own error on, in its words", async () => {
    const world = await GuestWorld.started({
      execute: '(call $fail (call $text_words))',
      texts: { words: 'no luck' },
    })
    expect(failureOf(await world.execute('1'))).to.equal('fault: no luck')
  })

  it('calls a code that the contract does not know a fault, so that none of the host can be minted', async () => {
    const error =
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"mine","data":{"name":"PERMISSION_DENIED"}}}\n'
    const world = await GuestWorld.started({
      execute: '(call $raw (call $text_minted))',
      texts: { minted: error },
    })
    const answer = await world.execute()
    expect(answer.error).to.deep.equal({
      code: -34001,
      message: 'mine',
      data: { name: 'fault', details: {} },
    })
  })

  for (const [what, { words, ...guest }] of Object.entries(HOSTILE)) {
    it(`ends the call of one that ${what}, and the next one has a new instance`, async () => {
      const world = await GuestWorld.started(guest)
      expect(failureOf(await world.execute('1'))).to.match(words)
      const again = await world.execute('1')
      expect(failureOf(again)).not.to.equal('no error')
      const fresh = world.said.filter(({ message }) => message.includes('was started anew'))
      expect(fresh).to.have.length(1)
    })
  }

  it('starts anew what trapped: its state is gone, and it works', async () => {
    const world = await GuestWorld.started(COUNTS)
    const results: string[] = []
    for (const input of ['1', '1', '"trap"', '1', '1']) {
      const answer = await world.execute(input)
      results.push(answer.error === null ? String(answer.payload) : failureOf(answer))
    }
    expect(results).to.deep.equal(['1', '2', 'fault: the plugin trapped: unreachable', '1', '2'])
    expect(world.said.map(({ message }) => message)).to.deep.equal([
      'The plugin was started anew inside its process, because a call had ended it',
    ])
  })

  it('takes one call at a time: the others wait', async () => {
    const world = await GuestWorld.started(COUNTS)
    const answers = await Promise.all(['1', '"trap"', '1'].map((input) => world.execute(input)))
    expect(answers.map((one) => (one.error === null ? String(one.payload) : failureOf(one)))).to.deep.equal([
      '1',
      'fault: the plugin trapped: unreachable',
      '1',
    ])
  })

  it('refuses a result that is larger than it may be, in the words of every runtime', async () => {
    const world = await GuestWorld.started({}, { max_payload_bytes: 100 })
    const answer = await world.execute(`"${'x'.repeat(199)}"`)
    expect(answer.error).to.deep.equal({
      code: -34006,
      message: 'Cannot return the result: it is 201 bytes of JSON, at most 100 bytes are allowed',
      data: { name: 'payload_too_large', details: { limit: 100, measured: 201 } },
    })
    expect((await world.execute('"small"')).error).to.equal(null)
  })

  it('says that memory is gone where the plugin gives no room for its input', async () => {
    const none =
      '(func $alloc (export "phantom_alloc") (param i32) (result i32) (select (i32.const 20000) (i32.const 0) (i32.gt_u (local.get 0) (i32.const 300))))'
    const world = await GuestWorld.started({ without: ['phantom_alloc'], more: none })
    expect(failureOf(await world.execute('1'))).to.match(
      /^out_of_memory: its phantom_alloc gave no room for \d+ bytes$/,
    )
  })

  it('says so where the room that it gives lies outside of its memory', async () => {
    const outside =
      '(func $alloc (export "phantom_alloc") (param i32) (result i32) (select (i32.const 20000) (i32.const 131070) (i32.gt_u (local.get 0) (i32.const 300))))'
    const world = await GuestWorld.started({ without: ['phantom_alloc'], more: outside })
    expect(failureOf(await world.execute('1'))).to.match(
      /^fault: .*what its phantom_alloc gave lies at 131070/,
    )
  })

  it('says that memory is gone where a plugin traps that can grow no more', async () => {
    const grows =
      '(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 1024))))) unreachable'
    const world = await GuestWorld.started({ execute: grows })
    expect(failureOf(await world.execute('1'))).to.match(/^out_of_memory: /)
    const bounded = await GuestWorld.started({ execute: grows.replace('1024', '1'), memory: '2 4' })
    expect(failureOf(await bounded.execute('1')), 'a maximum of its own is no limit of ours').to.match(
      /^fault: /,
    )
  })

  it('does not begin where _initialize exits, and catches that', async () => {
    const more = `(func (export "_initialize") (try (do (call $proc_exit (i32.const 3))) (catch_all)))`
    const world = new GuestWorld(watGuest({ wasi: ['proc_exit'], more }))
    expect(failureOf(await world.guest.begin())).to.equal('fault: The plugin called exit(3)')
  })

  it('refuses another version of the ABI by name', async () => {
    const two = '(func (export "phantom_abi_version") (result i32) (i32.const 2))'
    const world = new GuestWorld(watGuest({ without: ['phantom_abi_version'], more: two }))
    expect(failureOf(await world.guest.begin())).to.match(
      /it speaks phantom-wasm version 2, this loader version 1/,
    )
  })

  it('runs _initialize once, before all else', async () => {
    const world = await GuestWorld.started({
      more: '(global $ready (mut i32) (i32.const 0)) (func (export "_initialize") (global.set $ready (i32.add (global.get $ready) (i32.const 1))))',
      execute: `(i32.store8 (i32.const 60000) (i32.add (i32.const 48) (global.get $ready)))
        (call $result (i32.const 60000) (i32.const 1))`,
    })
    const answer = await world.execute('0')
    expect(answer.error === null && String(answer.payload)).to.equal('1')
  })
})
