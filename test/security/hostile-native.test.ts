import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'

/** What it sends instead of an answer to its call, and what its caller is told of the end of its process. */
const CALLS: Readonly<Record<string, readonly [text: string, words: RegExp]>> = {
  'with another id': [
    '{"jsonrpc":"2.0","id":1ID,"result":null}\n',
    /it answered a call that was never made \(id 1\d+\)/,
  ],
  'with a result in its line': [
    '{"jsonrpc":"2.0","id":ID,"result":{"sum":1}}\n',
    /it answered "execute" with a result in its line; one goes behind it, as payload/,
  ],
  'with neither result nor error': [
    '{"jsonrpc":"2.0","id":ID}\n',
    /Cannot read answer: expected .* with either "result" or "error"/,
  ],
  'with both': [
    '{"jsonrpc":"2.0","id":ID,"result":null,"error":{"code":-34001,"message":"no"}}\n',
    /Cannot read answer: expected .* with either "result" or "error"/,
  ],
  'of another JSON-RPC': [
    '{"jsonrpc":"1.0","id":ID,"result":null}\n',
    /Cannot read answer: expected {"jsonrpc":"2\.0"/,
  ],
  'of 2 GiB': [
    '{"jsonrpc":"2.0","id":ID,"result":null,"payload_bytes":2147483648}\n',
    /"payload_bytes" is 2147483648, expected a whole number from 0 to/,
  ],
  'that is no JSON': ['\u001b[2J{"jsonrpc"\n', /Cannot read JSON: [^\u001b]*$/],
  'by progress of a wrong type': [
    '{"jsonrpc":"2.0","method":"progress","params":{"id":ID,"fraction":"half"}}\n',
    /it sent "progress", which the contract does not know, or not with such params/,
  ],
  'by a notification that nobody knows': [
    '{"jsonrpc":"2.0","method":"hello","params":{}}\n',
    /it sent "hello", which the contract does not know/,
  ],
  'by closing its channel': ['close', /it closed its descriptor 3/],
}

/** What it says before `initialize`, or instead of the answer to it, and why it did not start. */
const STARTS: Readonly<Record<string, readonly [file: string, words: RegExp]>> = {
  answers_too_early: [
    '{"jsonrpc":"2.0","id":1,"result":{"protocol_version":"1.2"}}\n---\n',
    /ended before it was ready: it broke the protocol: it answered a call that was never made \(id 1\)\. See/,
  ],
  answers_another: [
    '---\n{"jsonrpc":"2.0","id":9ID,"result":{"protocol_version":"1.2"}}\n',
    /ended before it was ready: it broke the protocol: it answered a call that was never made \(id 9\d+\)\. See/,
  ],
  speaks_http: [
    'GET / HTTP/1.1\r\n\r\n---\n',
    /ended before it was ready: it broke the protocol: .*Cannot read JSON: .*GET/,
  ],
  closes: [
    'close---\n',
    /ended before it was ready: it broke the protocol: it closed its descriptor 3\. See/,
  ],
  exits: ['exit---\n', /ended before it was ready \(exit code 3\)\. See/],
  gives_no_reason: [
    '---\n{"jsonrpc":"2.0","id":ID,"error":{"code":-34001,"message":""}}\n',
    /Cannot start "gives_no_reason": an error without a message\. See/,
  ],
}

describe('A native plugin that breaks the protocol', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(needPython)
  before(async function () {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'breaks-the-wire', ...Object.keys(STARTS).map((id) => `breaks-the-wire as ${id}`)],
      config: 'breaker: {min_calls: 10000}\nrestart: {backoff_max_ms: 50}\n',
      prepare: (world) => {
        for (const [id, [text]] of Object.entries(STARTS))
          fs.writeFileSync(world.path('plugins', id, 'start.txt'), text)
      },
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
  })
  after(() => daemon?.stop())
  afterEach('every other plugin goes on', async () => {
    expect((await daemon!.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  for (const [what, [text, words]] of Object.entries(CALLS)) {
    it(`${what} is ended, and its caller is told what it was`, async () => {
      const error = await daemon!.refusal('breaks_the_wire', 'send', text)
      expect(error.code, error.message).to.equal('PLUGIN_CRASHED')
      expect(error.details).to.deep.include({ exit_class: 'protocol' })
      expect(error.message).to.match(words)
      expect((await daemon!.call('breaks_the_wire', 'fine')).result).to.equal('fine')
    })
  }

  for (const [id, [, words]] of Object.entries(STARTS)) {
    it(`does not start where it ${id.replaceAll('_', ' ')}, and the words say why`, async () => {
      const error = await daemon!.refusal(id, 'fine')
      expect(error.code, error.message).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.match(words)
    })
  }

  it('fails without words, and the caller is told that there are none', async () => {
    const text = '{"jsonrpc":"2.0","id":ID,"error":{"code":-34001,"message":""}}\n'
    const { success, error } = await daemon!.call('breaks_the_wire', 'send', text)
    expect({ success, error }).to.deep.equal({ success: false, error: 'an error without a message' })
  })
})
