import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { line, resultOf } from '../helpers/raw-client.ts'

const echo = (id: number | string, input: unknown = id): string =>
  line({ id, method: 'execute_plugin', params: { plugin_id: 'echoes', operation: 'echo', input } })

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** Lines that are answered with an error while the connection goes on. */
const ANSWERED: Readonly<Record<string, { text: string; name: string; words: RegExp }>> = {
  garbage: { text: 'this is no JSON\n', name: 'PARSE_ERROR', words: /Cannot read JSON/ },
  'bytes that are no text': { text: '\u0000\u0001\u0002\n', name: 'PARSE_ERROR', words: /Cannot read JSON/ },
  'half a JSON object': {
    text: '{"jsonrpc":"2.0","id":1,\n',
    name: 'PARSE_ERROR',
    words: /Cannot read JSON/,
  },
  'a batch': {
    text: '[{"jsonrpc":"2.0","id":1,"method":"get_status"}]\n',
    name: 'REQUEST_INVALID',
    words: /one request a line/,
  },
  'a number': { text: '42\n', name: 'REQUEST_INVALID', words: /one JSON object a line/ },
  null: { text: 'null\n', name: 'REQUEST_INVALID', words: /one JSON object a line/ },
  'an id that is an object': {
    text: line({ id: {}, method: 'get_status' }),
    name: 'REQUEST_INVALID',
    words: /number or string/,
  },
  'an id that is null': {
    text: line({ id: null, method: 'get_status' }),
    name: 'REQUEST_INVALID',
    words: /number or string/,
  },
  'a method that is a number': {
    text: line({ id: 7, method: 7 }),
    name: 'REQUEST_INVALID',
    words: /"method":string/,
  },
  'another version of JSON-RPC': {
    text: line({ jsonrpc: '1.0', id: 7, method: 'get_status' }),
    name: 'REQUEST_INVALID',
    words: /2\.0/,
  },
  '__proto__ in the envelope': {
    text: '{"jsonrpc":"2.0","id":7,"method":"get_status","__proto__":{"admin":true}}\n',
    name: 'PARSE_ERROR',
    words: /__proto__/,
  },
  '__proto__ written with escapes': {
    text: '{"jsonrpc":"2.0","id":7,"method":"get_status","\\u005f_proto__":{}}\n',
    name: 'PARSE_ERROR',
    words: /__proto__/,
  },
  '10⁶ nested arrays in the envelope': {
    text: `{"jsonrpc":"2.0","id":7,"method":"get_status","params":${nested(1_000_000)}}\n`,
    name: 'PARSE_ERROR',
    words: /128 levels/,
  },
  'params that are an array': {
    text: line({ id: 7, method: 'get_status', params: [] }),
    name: 'PARAMS_INVALID',
    words: /must be object/,
  },
  'params that are a text': {
    text: line({ id: 7, method: 'get_status', params: 'x' }),
    name: 'PARAMS_INVALID',
    words: /must be object/,
  },
  'an unknown method': {
    text: line({ id: 7, method: 'list_plugin', params: {} }),
    name: 'METHOD_NOT_FOUND',
    words: /Did you mean "list_plugins"\?/,
  },
  'a method of Object.prototype': {
    text: line({ id: 7, method: 'constructor', params: {} }),
    name: 'METHOD_NOT_FOUND',
    words: /"constructor"/,
  },
  'an unknown parameter': {
    text: line({ id: 7, method: 'get_plugin_info', params: { plugin_id: 'echoes', pluginid: 1 } }),
    name: 'PARAMS_INVALID',
    words: /Did you mean "plugin_id"\?/,
  },
  'a missing parameter': {
    text: line({ id: 7, method: 'execute_plugin', params: { plugin_id: 'echoes' } }),
    name: 'PARAMS_INVALID',
    words: /operation/,
  },
  'a parameter of the wrong type': {
    text: line({ id: 7, method: 'execute_plugin', params: { plugin_id: 7, operation: 'echo' } }),
    name: 'PARAMS_INVALID',
    words: /plugin_id.*string.*7/,
  },
  'a timeout below 1': {
    text: line({
      id: 7,
      method: 'execute_plugin',
      params: { plugin_id: 'echoes', operation: 'echo', timeout_ms: 0 },
    }),
    name: 'PARAMS_INVALID',
    words: /timeout_ms/,
  },
  'input for a method that takes none': {
    text: line({ id: 7, method: 'get_status', params: { input: 1 } }),
    name: 'PARAMS_INVALID',
    words: /takes no input/,
  },
  'a plugin id that is a path': {
    text: line({ id: 7, method: 'get_plugin_info', params: { plugin_id: '../../../../etc/passwd' } }),
    name: 'PLUGIN_NOT_FOUND',
    words: /passwd/,
  },
  'a workspace that is relative': {
    text: line({
      id: 7,
      method: 'execute_plugin',
      params: { plugin_id: 'echoes', operation: 'echo', workspace: '.' },
    }),
    name: 'WORKSPACE_DENIED',
    words: /no absolute path/,
  },
  'a handshake of version 2.0': {
    text: line({ id: 7, method: 'handshake', params: { protocol_version: '2.0' } }),
    name: 'VERSION_UNSUPPORTED',
    words: /2\.0.*1\.0/,
  },
  'a handshake of no version': {
    text: line({ id: 7, method: 'handshake', params: { protocol_version: 'new' } }),
    name: 'PARAMS_INVALID',
    words: /protocol_version/,
  },
}

/** Frames behind which the stream cannot be followed: one answer, then the end. `agreed` comes after a handshake. */
const REFUSED: Readonly<Record<string, { agreed: boolean; text: string | Buffer; words: RegExp }>> = {
  'payload_bytes without a handshake': {
    agreed: false,
    text: line({ id: 1, method: 'get_status', payload_bytes: 3 }),
    words: /before the handshake/,
  },
  'payload_bytes below 0': {
    agreed: true,
    text: line({ id: 1, method: 'get_status', payload_bytes: -1 }),
    words: /"payload_bytes" is -1/,
  },
  'payload_bytes over the cap': {
    agreed: true,
    text: line({ id: 1, method: 'get_status', payload_bytes: 300_000_000 }),
    words: /expected a whole number from 0 to 268435456/,
  },
  'payload_bytes that is no number': {
    agreed: true,
    text: line({ id: 1, method: 'get_status', payload_bytes: '3' }),
    words: /expected a whole number/,
  },
  'payload_bytes that is a fraction': {
    agreed: true,
    text: line({ id: 1, method: 'get_status', payload_bytes: 0.5 }),
    words: /expected a whole number/,
  },
  'an envelope over 1 MB between peers': {
    agreed: true,
    text: Buffer.alloc(1_100_000, 'x'),
    words: /longer than 1048576 bytes/,
  },
  'a plain line over 16 MB': {
    agreed: false,
    text: Buffer.alloc(17_000_000, 'x'),
    words: /longer than 16777216 bytes/,
  },
}

describe('A hostile client on the socket', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes'] })
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon.stop())
  afterEach('every other client goes on', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  for (const [what, { text, name, words }] of Object.entries(ANSWERED)) {
    it(`gets ${name} for ${what}, and may go on`, async () => {
      const client = await daemon.connect()
      client.send(text, echo('next'))
      await client.answer('next')
      const [first] = client.messages
      expect(first?.error?.data?.name, JSON.stringify(first)).to.equal(name)
      expect(first?.error?.message).to.match(words)
      expect(resultOf(client.messages[1]!)).to.equal('next')
      client.destroy()
    })
  }

  for (const [what, { agreed, text, words }] of Object.entries(REFUSED)) {
    it(`is told and cut off for ${what}`, async () => {
      const client = await daemon.connect()
      if (agreed) await client.handshake()
      client.send(text)
      const refusal = await client.answer(null)
      expect(refusal.error?.data?.name).to.equal('PROTOCOL_VIOLATION')
      expect(refusal.error?.message).to.match(words)
      await client.closed
    })
  }

  it('ignores answers to calls never made, and unknown notifications', async () => {
    const client = await daemon.connect()
    client.send(line({ id: 1, result: null }), line({ id: 'x', error: { code: 1, message: 'no' } }))
    client.send(
      line({ method: 'progress', params: {} }),
      line({ method: 'no_such_thing', params: { deep: [[]] } }),
    )
    client.send(line({ method: 'cancel', params: { id: 4711 } }), echo('next'))
    expect(resultOf(await client.answer('next'))).to.equal('next')
    expect(client.messages).to.have.length(1)
  })

  it('gets REQUEST_INVALID for the id of a call that is still open, and that call its answer', async () => {
    const client = await daemon.connect()
    const wait = line({
      id: 1,
      method: 'execute_plugin',
      params: { plugin_id: 'echoes', operation: 'wait', input: 200 },
    })
    client.send(wait, echo(1))
    await client.next(({ result }) => result !== undefined, 'the result of the open call')
    expect(client.messages.map(({ error }) => error?.data?.name)).to.deep.equal([
      'REQUEST_INVALID',
      undefined,
    ])
    expect(resultOf(client.messages[1]!)).to.equal(200)
  })

  it('may send a frame in pieces, and several in one', async () => {
    const client = await daemon.connect()
    for (const piece of echo('pieces').match(/.{1,7}|\n/g) ?? []) {
      client.send(piece)
      await delay(1)
    }
    client.send(['a', 'b', 'c'].map((id) => echo(id)).join(''))
    await client.answer('c')
    expect(client.messages.map(({ id }) => id)).to.have.members(['a', 'b', 'c', 'pieces'])
  })

  it('that ends its last line without a newline is told so, after what it asked before', async () => {
    const client = await daemon.connect()
    client.socket.end(echo('whole', 'answered') + echo('half').trimEnd())
    expect((await client.answer(null)).error).to.deep.include({
      message: 'Cannot read frame: the stream ended before its newline. End each message with a newline',
    })
    expect(resultOf(await client.answer('whole'))).to.equal('answered')
    await client.closed
    expect(client.messages.map(({ id }) => id)).to.have.members([null, 'whole'])
  })

  it('that leaves in the middle of a frame leaves nothing behind', async () => {
    const { clients: before } = await daemon.system.get_status()
    const clients = await Promise.all(Array.from({ length: 10 }, () => daemon.connect()))
    for (const client of clients) {
      await client.handshake()
      client.sendFrame(
        { id: 1, method: 'execute_plugin', params: { plugin_id: 'echoes', operation: 'echo' } },
        '"whole"',
      )
      client.send(
        line({ id: 2, method: 'execute_plugin', params: {}, payload_bytes: 100 }),
        'half of the pay',
      )
      client.destroy()
    }
    await until(async () => (await daemon.system.get_status()).clients === before, 'all to be gone')
  })
})
