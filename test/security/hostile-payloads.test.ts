import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { line, resultOf, type RawClient, type RawMessage } from '../helpers/raw-client.ts'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('An input on the wire', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes'] })
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon.stop())

  describe('payloads beside the envelope', () => {
    const params = { plugin_id: 'echoes', operation: 'echo' }

    it('that are shorter than announced swallow the next frame, and a broken payload fails its call alone', async () => {
      const client = await agree(daemon)
      const next = line({ id: 'swallowed', method: 'get_status' })
      client.send(
        line({ id: 1, method: 'execute_plugin', params, payload_bytes: 3 + next.length }),
        '"x"',
        next,
      )
      expect((await client.answer(1)).error?.data?.name).to.equal('INPUT_INVALID')
      client.sendFrame({ id: 2, method: 'execute_plugin', params }, '"whole"')
      expect(resultOf(await client.answer(2))).to.equal('whole')
      expect(client.messages.some(({ id }) => id === 'swallowed')).to.be.false
    })

    it('that are longer than announced spill into the next line, which is answered as garbage', async () => {
      const client = await agree(daemon)
      client.send(line({ id: 1, method: 'execute_plugin', params, payload_bytes: 3 }), '"x"spilt\n')
      expect(resultOf(await client.answer(1))).to.equal('x')
      expect((await client.answer(null)).error?.data?.name).to.equal('PARSE_ERROR')
    })

    for (const [what, payload] of Object.entries({
      '10⁶ nested arrays': nested(1_000_000),
      ['__proto__']: '{"a":{"__proto__":{"admin":true}}}',
      'no JSON': '{"a":',
      'two values': '{},"success":true',
      'bytes that are no UTF-8': '"\udc00',
      nothing: '',
    })) {
      it(`of ${what} are INPUT_INVALID for that call alone`, async () => {
        const client = await agree(daemon)
        client.sendFrame({ id: 1, method: 'execute_plugin', params }, payload)
        client.sendFrame({ id: 2, method: 'execute_plugin', params }, '"next"')
        expect((await client.answer(1)).error?.data?.name).to.equal('INPUT_INVALID')
        expect(resultOf(await client.answer(2))).to.equal('next')
      })
    }
  })

  describe('plain frames and payload frames', () => {
    const cases: Readonly<Record<string, { operation: string; input: string }>> = {
      text: { operation: 'echo', input: '"ä € 𝄞 \\u0000 \\ud800"' },
      'numbers at the edge': {
        operation: 'echo',
        input: '[0,-0,1e21,1e-7,5e-324,9007199254740993,1.7976931348623157e308]',
      },
      'a number beyond the edge': { operation: 'kind', input: '1e400' },
      'no input': { operation: 'kind', input: 'null' },
      false: { operation: 'kind', input: 'false' },
      'an empty text': { operation: 'echo', input: '""' },
      'names of the prototype': {
        operation: 'echo',
        input: '{"constructor":1,"toString":{"prototype":[]},"":{"":0}}',
      },
      'names of the envelope': {
        operation: 'echo',
        input: '{"jsonrpc":"2.0","id":1,"method":"shutdown","payload_bytes":5}',
      },
      '100 levels': { operation: 'echo', input: nested(100) },
      '1,000 levels': { operation: 'echo', input: nested(1000) },
      ['__proto__']: { operation: 'echo', input: '{"__proto__":{"admin":true}}' },
      'no such operation': { operation: 'no_such', input: 'null' },
      'a failing plugin': { operation: 'fail', input: '"in words"' },
      '1 MB': { operation: 'echo', input: JSON.stringify('x'.repeat(1_000_000)) },
    }
    for (const [what, { operation, input }] of Object.entries(cases)) {
      it(`give the same for ${what}`, async () => {
        const params = { plugin_id: 'echoes', operation }
        const plain = await daemon.connect()
        plain.send(
          `{"jsonrpc":"2.0","id":1,"method":"execute_plugin","params":{"plugin_id":"echoes","operation":"${operation}","input":${input}}}\n`,
        )
        const beside = await agree(daemon)
        beside.sendFrame({ id: 1, method: 'execute_plugin', params }, input)
        expect(comparable(await plain.next(() => true, 'an answer'))).to.deep.equal(
          comparable(await beside.answer(1)),
        )
      })
    }
  })
})

async function agree(daemon: TestDaemon): Promise<RawClient> {
  const client = await daemon.connect()
  await client.handshake()
  client.messages.length = 0
  return client
}

/** What a caller sees of an answer, without what differs between any two calls. */
function comparable(message: RawMessage): object {
  const { id, error } = message
  if (error !== undefined) return { id, name: error.data?.name }
  const { success, error: words } = message.result as { success: boolean; error: string | null }
  return { id, success, words, result: resultOf(message) }
}
