import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import { line } from '../helpers/raw-client.ts'

/** What a plugin throws, and the words that its caller gets. */
const THROWN: Readonly<Record<string, RegExp>> = {
  string: /^a bare string$/,
  null: /^a thrown object: null$/,
  undefined: /^a thrown undefined/,
  bigint: /^a thrown bigint: 10$/,
  symbol: /Symbol\(thrown\)/,
  function: /^a thrown function/,
  getters: /^a thrown value that cannot be shown$/,
  proxy: /^a thrown value that cannot be shown$/,
  huge: /^x{8192}$/,
  minted: /^minted$/,
}

/** What a plugin returns that is no JSON, and the words that its caller gets. */
const RETURNED: Readonly<Record<string, RegExp>> = {
  circular: /Cannot return the result.*circular/,
  bigint: /Cannot return the result.*BigInt/,
  function: /Cannot return the result: it returned a function/,
  getter: /Cannot return the result.*a getter of the result/,
  thenable: /a getter named then/,
}

/** How a process ends in the middle of its call, and the words for its end. */
const ENDS: Readonly<Record<string, RegExp>> = {
  exit: /exit code 0/,
  exit_later: /exit code 0/,
  really_exit: /exit code 0/,
  // The first process of a pid namespace does not take SIGABRT: abort() then ends by an illegal access.
  abort: /signal (6|11)|SIG(ABRT|SEGV)/,
  close_channel: /protocol/,
}

const PATCHES = ['json', 'arrays', 'promises', 'objects', 'maps', 'buffers', 'sockets', 'exit']

describe('A hostile plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: [
        'echoes',
        'throws-anything',
        'returns-non-json',
        'fails-late',
        'exits-early',
        'ignores-its-end',
        'answers-late',
        'patches-globals',
        'never-ready',
        'crashes-at-load',
        'exits-at-load',
        'broken-syntax',
      ],
      config: 'execution:\n  start_timeout_ms: 1500\n',
    })
  })
  after(() => daemon.stop())
  afterEach('every other plugin goes on', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    expect((await daemon.system.get_status()).calls).to.deep.include({ in_flight: 0, queued: 0 })
  })

  describe('that throws', () => {
    for (const [what, words] of Object.entries(THROWN)) {
      it(`${what}, at once and by a promise, fails in words and goes on`, async () => {
        for (const operation of [what, `async_${what}`]) {
          const result = await daemon.call('throws_anything', operation)
          expect(result).to.deep.include({ success: false, result: null })
          expect(result.error).to.match(words)
        }
      })
    }
  })

  it('that throws a denial of its own making puts no control character and no second line into the advice', async () => {
    const error = await daemon.refusal('throws_anything', 'denied')
    expect(error.code).to.equal('PERMISSION_DENIED')
    expect(error.message).to.match(/^[^\u0000-\u001f\u007f-\u009f]*$/)
    expect(error.message).not.to.contain('["fs_read:/x"]')
  })

  describe('that returns', () => {
    for (const [what, words] of Object.entries(RETURNED)) {
      it(`${what} fails in words and goes on`, async () => {
        const result = await daemon.call('returns_non_json', what)
        expect(result).to.deep.include({ success: false, result: null })
        expect(result.error).to.match(words)
      })
    }

    it('undefined returns null', async () => {
      expect(await daemon.call('returns_non_json', 'undefined')).to.deep.include({
        success: true,
        result: null,
      })
    })

    it('300 MB is refused by size where its memory allows that much', async () => {
      const error = await daemon.refusal('returns_non_json', 'large')
      expect(error.code, error.message).to.equal('PAYLOAD_TOO_LARGE')
      expect(error.message).to.contain('"large" of "returns_non_json"')
    })

    for (const what of ['deep', 'deepest', 'proto']) {
      it(`${what} data fails that call, and names the plugin, on either kind of connection`, async () => {
        const error = await daemon.refusal('returns_non_json', what)
        expect(error.code).to.equal('PLUGIN_FAULT')
        expect(error.message).to.match(/128 levels|__proto__|call stack/)
        expect(error.message).to.contain('returns_non_json')
        const plain = await daemon.connect()
        const params = { plugin_id: 'returns_non_json', operation: what }
        plain.send(line({ id: 1, method: 'execute_plugin', params }))
        const { data, message } = (await plain.answer(1)).error ?? {}
        expect({ name: data?.name, message }).to.deep.equal({ name: error.code, message: error.message })
      })
    }
  })

  describe('that fails late', () => {
    it('by a rejection that nobody handles goes on, and the log says so', async () => {
      await daemon.call('fails_late', 'reject')
      await until(async () => (await logOf(daemon, 'fails_late')).includes('rejected late'), 'the log line')
      expect((await daemon.call('fails_late', 'fine')).result).to.equal('fine')
    })

    it('by a throw that nobody catches ends its process, and the next call starts another', async () => {
      const pid = await daemon.pidOf('fails_late')
      await daemon.call('fails_late', 'throw')
      await until(() => !isAlive(pid), 'the end of the process')
      expect((await daemon.call('fails_late', 'fine')).result).to.equal('fine')
      expect((await daemon.info('fails_late')).last_exit?.class).to.equal('crash')
    })

    it('by settling its promise three times answers once', async () => {
      expect((await daemon.call('fails_late', 'twice')).result).to.equal('once')
    })
  })

  for (const [how, words] of Object.entries(ENDS)) {
    it(`that ends its process by ${how} in the middle of a call is PLUGIN_CRASHED in words, and starts anew`, async () => {
      const error = await daemon.refusal('exits_early', how)
      expect(error.code).to.equal('PLUGIN_CRASHED')
      expect(error.retryable).to.be.true
      expect(error.message).to.match(words).and.to.contain('phantom logs exits_early')
      expect((await daemon.call('exits_early', 'fine')).result).to.equal('fine')
    })
  }

  it('that recurses for ever fails in words and goes on', async () => {
    const result = await daemon.call('exits_early', 'overflow')
    expect(result.error).to.contain('call stack')
  })

  it('that ignores the abort of its call and SIGTERM is killed at the end of the grace', async () => {
    await daemon.call('ignores_its_end', 'fine')
    const pid = await daemon.pidOf('ignores_its_end')
    const error = await daemon.refusal('ignores_its_end', 'stay')
    expect(error.code).to.equal('LIMIT_EXCEEDED')
    expect(error.details).to.deep.include({ limit: 'max_execution_time_ms', declared: 300 })
    await until(() => !isAlive(pid), 'the end of the process', 3_000)
    expect((await daemon.call('ignores_its_end', 'fine')).result).to.equal('fine')
  })

  it('that answers after its deadline gets no second answer, and the same process takes the next call', async () => {
    await daemon.call('answers_late', 'fine')
    const pid = await daemon.pidOf('answers_late')
    const client = await daemon.connect()
    const params = { plugin_id: 'answers_late' }
    client.send(request('late', { ...params, operation: 'late' }))
    expect((await client.answer('late')).error?.data?.name).to.equal('LIMIT_EXCEEDED')
    client.send(request('next', { ...params, operation: 'fine' }))
    expect((await client.answer('next')).error).to.equal(undefined)
    expect(client.messages.filter(({ id }) => id === 'late')).to.have.length(1)
    expect(await daemon.pidOf('answers_late')).to.equal(pid)
  })

  describe('that does not start', () => {
    it('because it never gets ready is PLUGIN_START_TIMEOUT, and its process is gone', async () => {
      const error = await daemon.refusal('never_ready', 'fine')
      expect(error.code).to.equal('PLUGIN_START_TIMEOUT')
      expect(error.message).to.contain('"never_ready"').and.to.contain('1.5 s').and.to.contain('index.js')
      expect((await daemon.info('never_ready')).instances).to.deep.equal([])
    })

    it('because it throws names the file, the line and its words', async () => {
      const error = await daemon.refusal('crashes_at_load', 'fine')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain('index.js:2').and.to.contain("reading 'name'")
    })

    it('because it is no JavaScript names the file and the line', async () => {
      const error = await daemon.refusal('broken_syntax', 'fine')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain('index.js:3').and.to.contain('SyntaxError')
    })

    it('because it exits is PLUGIN_START_FAILED', async () => {
      expect((await daemon.refusal('exits_at_load', 'fine')).code).to.equal('PLUGIN_START_FAILED')
    })

    it('refuses every call that waits for it, and may be tried again', async () => {
      const refused = await Promise.all([1, 2, 3].map(() => daemon.refusal('exits_at_load', 'fine')))
      expect(refused.map(({ code }) => code)).to.deep.equal(Array(3).fill('PLUGIN_START_FAILED'))
    })
  })

  describe('that patches globals', () => {
    for (const what of PATCHES) {
      it(`(${what}) spoils its own calls at the most`, async () => {
        await daemon.call('patches_globals', what).catch(() => null)
        const info = await daemon.info('patches_globals')
        expect(info.state).to.equal('enabled')
      })
    }
  })
})

async function logOf(daemon: TestDaemon, id: string): Promise<string> {
  const lines = await daemon.system.get_plugin_logs({ plugin_id: id })
  return lines.map(({ message }) => message).join('\n')
}

function request(id: string, params: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', id, method: 'execute_plugin', params })}\n`
}
