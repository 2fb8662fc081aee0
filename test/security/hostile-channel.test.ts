import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { line } from '../helpers/raw-client.ts'

const ANSWER = line({ id: 424_242, result: null })
/** Ids on a plugin's own channel count from 1, so a plugin can guess them. */
const EVERY_ID = Array.from({ length: 200 }, (_, at) => at + 1)

/** What a plugin writes on the channel, and which the host must not put up with. */
const VIOLATIONS: Readonly<Record<string, string>> = {
  'an answer to a call never made': ANSWER,
  'an answer with an id that is text': line({ id: 'x', result: null }),
  'an error without an id': line({ error: { code: -33030, message: 'forged' } }),
  'a request to the host': line({
    id: 1,
    method: 'execute_plugin',
    params: { plugin_id: 'echoes', operation: 'echo' },
  }),
  'a shutdown of the host': line({ id: 1, method: 'shutdown', params: {} }),
  'an unknown notification': line({ method: 'approve', params: { plugin_id: 'forges_messages' } }),
  'a log line without text': line({ method: 'log', params: { level: 'info' } }),
  'a log line of no level': line({ method: 'log', params: { level: '__proto__', message: 'x' } }),
  'params that are null': '{"jsonrpc":"2.0","method":"log","params":null}\n',
  'params that are a number': '{"jsonrpc":"2.0","method":"progress","params":7}\n',
  'a batch': '[{"jsonrpc":"2.0","id":1,"result":null}]\n',
  garbage: 'this is no JSON at all\n',
  'bytes that are no UTF-8': '\u0000\u0001\u0002{{{{\n',
  'a number': '42\n',
  'another version': '{"jsonrpc":"1.0","method":"log","params":{}}\n',
  ['__proto__']: '{"jsonrpc":"2.0","method":"log","params":{"__proto__":{"level":"info","message":"x"}}}\n',
  'a line of 2 MB': `${'x'.repeat(2_000_000)}\n`,
  '100,000 nested arrays': `${'['.repeat(100_000)}${']'.repeat(100_000)}\n`,
  'payload_bytes of 1 TB': '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":1000000000000}\n',
  'payload_bytes below 0': '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":-1}\n',
  'payload_bytes of text': '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":"9"}\n',
  'payload_bytes of a half': '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":1.5}\n',
}

describe('A plugin that writes on the channel to its host', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      // Its operations break the protocol again and again; that a circuit opens is tested elsewhere.
      config: 'breaker: {min_calls: 10000}\nrestart: {backoff_max_ms: 50}\n',
      plugins: ['echoes', 'forges-messages', 'lies-about-its-health'],
    })
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon.stop())
  afterEach('every other plugin goes on', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    expect((await daemon.call('forges_messages', 'fine')).result).to.equal('fine')
  })

  for (const [what, text] of Object.entries(VIOLATIONS)) {
    it(`${what} dies as protocol, and its call is PLUGIN_CRASHED`, async () => {
      await daemon.call('forges_messages', 'fine')
      const pid = await daemon.pidOf('forges_messages')
      const error = await daemon.refusal('forges_messages', 'forge', { text })
      expect(error.code, error.message).to.equal('PLUGIN_CRASHED')
      expect(error.details).to.deep.include({ exit_class: 'protocol' })
      await until(() => !isAlive(pid), 'the end of the process')
      expect((await daemon.info('forges_messages')).last_exit?.class).to.equal('protocol')
    })
  }

  it('half a frame, so that its own answer ends it, spoils its own call alone', async () => {
    const error = await daemon.refusal('forges_messages', 'forge', { text: '{"jsonrpc":"2.0","id":' })
    expect(error.code).to.equal('PLUGIN_CRASHED')
  })

  it('a payload that is announced and never comes ends at its deadline, and holds nobody up', async () => {
    const text = '{"jsonrpc":"2.0","id":999999,"result":null,"payload_bytes":200000000}\n'
    const startedMb = daemon.memoryMb()
    const call = daemon.refusal('forges_messages', 'forge', { text })
    expect((await daemon.call('echoes', 'echo', 'meanwhile')).result).to.equal('meanwhile')
    expect((await call).code).to.be.oneOf(['LIMIT_EXCEEDED', 'PLUGIN_CRASHED'])
    expect(daemon.memoryMb() - startedMb).to.be.below(100)
  })

  it('log lines for calls that are not its own reach no other result and no other log', async () => {
    const { execution_id: known } = await daemon.call('echoes', 'echo')
    const other = daemon.call('echoes', 'wait', 500)
    await until(
      async () => (await daemon.info('echoes')).instances[0]?.calls_in_flight === 1,
      'the other call',
    )
    const forged = idsAfter(known).map((id) =>
      line({ method: 'log', params: { level: 'warn', message: 'forged', execution_id: id } }),
    )
    const own = await daemon.call('forges_messages', 'forge', { text: forged.join(''), wait_ms: 50 })
    expect(own.success).to.be.true
    expect((await other).logs).to.deep.equal([])
    const lines = await daemon.system.get_plugin_logs({ plugin_id: 'echoes' })
    expect(lines.map(({ message }) => message)).not.to.include('forged')
  })

  it('progress for ids that are not its own reaches nobody', async () => {
    const seen: unknown[] = []
    const other = daemon.call('echoes', 'wait', 300, { on_progress: (progress) => void seen.push(progress) })
    const text = EVERY_ID.map((id) =>
      line({ method: 'progress', params: { id, fraction: 0.5, message: 'forged' } }),
    ).join('')
    const own = await daemon.call('forges_messages', 'forge', { text, wait_ms: 50 })
    expect(own.success).to.be.true
    await other
    expect(seen).to.deep.equal([])
  })

  it('an answer of its own making settles its own call once, and its true answer ends it', async () => {
    const client = await daemon.connect()
    const text = EVERY_ID.map((id) => line({ id, result: null })).join('')
    const params = { plugin_id: 'forges_messages', operation: 'forge', input: { text, wait_ms: 50 } }
    const answer = await client.request('execute_plugin', params, 'forged')
    expect(answer.error?.data?.name ?? 'ok').to.be.oneOf(['ok', 'PLUGIN_CRASHED'])
    await until(async () => (await daemon.info('forges_messages')).last_exit?.class === 'protocol', 'its end')
    await daemon.call('echoes', 'echo', 'later')
    expect(client.messages.filter(({ id }) => id === 'forged')).to.have.length(1)
  })

  it('errors with codes of the host mints none of them', async () => {
    await daemon.call('forges_messages', 'fine')
    for (const code of [-33030, -33051, -32603, 0]) {
      const text = EVERY_ID.map((id) =>
        line({ id, error: { code, message: 'forged', data: { name: 'DAEMON_LOST' } } }),
      ).join('')
      const call = daemon.call('forges_messages', 'forge', { text, wait_ms: 20 })
      const outcome = await call.then(
        ({ error }) => error,
        (error: { code: string }) => error.code,
      )
      expect(outcome).to.be.oneOf(['forged', 'PLUGIN_CRASHED'])
      await daemon.call('forges_messages', 'fine')
    }
  })

  for (const [what, text] of Object.entries({
    'log lines': line({ method: 'log', params: { level: 'warn', message: 'x'.repeat(8000) } }),
    'progress of its own call': line({
      method: 'progress',
      params: { id: 2, message: 'x'.repeat(8000) },
    }).repeat(30),
  })) {
    it(`${what} without end costs the daemon bounded memory, also when its caller never reads`, async () => {
      // In a new process, the flood is the second request on the channel.
      await daemon.refusal('forges_messages', 'forge', { text: ANSWER })
      const startedMb = daemon.memoryMb()
      const client = await daemon.connect()
      client.socket.pause()
      const params = { plugin_id: 'forges_messages', operation: 'flood', input: { text }, progress: true }
      client.send(line({ id: 1, method: 'execute_plugin', params }))
      let mostMb = 0
      await until(async () => (await daemon.system.get_status()).calls.in_flight === 1, 'the flood')
      while ((await daemon.system.get_status()).calls.in_flight > 0) {
        await daemon.call('echoes', 'echo', 'meanwhile')
        mostMb = Math.max(mostMb, daemon.memoryMb())
        await delay(10)
      }
      client.destroy()
      expect(mostMb - startedMb).to.be.below(250)
    })
  }

  for (const lie of ['deep', 'large']) {
    it(`a report of its health that is too ${lie} spoils neither get_plugin_info nor its caller`, async () => {
      await daemon.call('lies_about_its_health', 'lie', lie)
      const application = await daemon.world.attach()
      try {
        const info = await Promise.race([
          application.get_plugin_info('lies_about_its_health'),
          delay(3_000, null),
        ])
        expect(info?.id, 'no answer').to.equal('lies_about_its_health')
        expect((await application.execute_plugin('echoes', 'echo', 'here')).result).to.equal('here')
      } finally {
        await application.shutdown()
      }
    })
  }

  it('a call that waits behind it is answered by its next process', async () => {
    const calls = [
      daemon.call('forges_messages', 'forge', { text: ANSWER }),
      daemon.call('forges_messages', 'fine'),
    ]
    expect((await refusalOf(calls[0]!)).code).to.equal('PLUGIN_CRASHED')
    expect((await calls[1]!).result).to.equal('fine')
  })
})

/** Execution ids count up behind a prefix of their daemon, and a plugin knows its own. */
function idsAfter(executionId: string): string[] {
  const [prefix, count = ''] = executionId.split('-')
  return Array.from(
    { length: 10 },
    (_, at) => `${prefix}-${(Number.parseInt(count, 36) + at + 1).toString(36)}`,
  )
}
