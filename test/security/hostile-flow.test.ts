import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { line, resultOf, type RawClient } from '../helpers/raw-client.ts'

const PROMPT_MS = 2_000
/** With 1 MB each, far more than what may wait for one client. */
const CALLS = 150
const watches: NodeJS.Timeout[] = []

describe('A client that sends or takes too slowly, too much or not at all', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes', 'echoes as others'] })
    await Promise.all([daemon.call('echoes', 'echo', 'here'), daemon.call('others', 'echo', 'here')])
  })
  after(() => daemon.stop())
  afterEach(() => {
    for (const timer of watches.splice(0)) clearInterval(timer)
  })

  it('(1 GB without a newline) is refused early, and costs the daemon bounded memory', async () => {
    const client = await daemon.connect()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const watch = watchMemory(daemon)
    let sentMb = 0
    for (; sentMb < 1024 && !client.isClosed; sentMb += 1) {
      const isFull = !client.socket.write(chunk)
      if (isFull)
        await Promise.race([new Promise((resolve) => client.socket.once('drain', resolve)), client.closed])
    }
    expect(sentMb).to.be.below(64)
    expect(await watch.growthMb()).to.be.below(250)
  })

  it('(a byte at a time) holds nobody up and costs the daemon bounded memory', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => daemon.connect()))
    for (const client of clients) client.socket.setNoDelay(true)
    const watch = watchMemory(daemon)
    let slowestMs = 0
    const text = line({ id: 1, method: 'execute_plugin', params: { plugin_id: 'echoes', operation: 'echo' } })
    for (const byte of text.slice(0, 60)) {
      for (const client of clients) client.send(byte)
      slowestMs = Math.max(slowestMs, await promptness(daemon))
    }
    expect(slowestMs).to.be.below(PROMPT_MS)
    expect(await watch.growthMb()).to.be.below(50)
    for (const client of clients) client.destroy()
  })

  it('(100,000 bytes one by one) costs the daemon no more than a few times their number', async () => {
    const client = await daemon.connect()
    const watch = watchMemory(daemon)
    const byte = Buffer.from('x')
    for (let sent = 0; sent < 100_000; sent += 1) {
      client.socket.write(byte)
      // In between the daemon reads: what it reads at once it keeps as one piece.
      if (sent % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await promptness(daemon)
    expect(await watch.growthMb()).to.be.below(250)
    client.destroy()
  })

  it('(payloads of 256 MB announced by 20 clients) costs the daemon only what they sent', async () => {
    const watch = watchMemory(daemon)
    const clients = await Promise.all(Array.from({ length: 20 }, () => daemon.connect()))
    for (const client of clients) {
      await client.handshake()
      client.send(
        line({ id: 1, method: 'execute_plugin', params: {}, payload_bytes: 268_435_456 }),
        'a little',
      )
    }
    await promptness(daemon)
    expect(await watch.growthMb()).to.be.below(250)
    for (const client of clients) client.destroy()
  })

  it('(one that does not read its answers) costs bounded memory, holds nobody up, and gets all when it reads', async () => {
    const client = await daemon.connect()
    client.socket.pause()
    const watch = watchMemory(daemon)
    const params = { plugin_id: 'echoes', operation: 'letters', input: 1_000_000 }
    for (let id = 0; id < CALLS; id += 1) client.send(line({ id, method: 'execute_plugin', params }))
    for (let asked = 0; asked < 30; asked += 1) {
      expect(await promptness(daemon)).to.be.below(PROMPT_MS)
      expect((await daemon.call('echoes', 'echo', 'the same plugin')).result).to.equal('the same plugin')
      await delay(50)
    }
    expect(await watch.growthMb()).to.be.below(200)
    client.socket.resume()
    await until(() => client.messages.length >= CALLS, 'all its answers')
    expect(client.messages.filter(({ error }) => error !== undefined)).to.deep.equal([])
    client.destroy()
  })

  it('(one that does not read, and leaves) leaves no call behind', async () => {
    const client = await daemon.connect()
    client.socket.pause()
    const params = { plugin_id: 'echoes', operation: 'letters', input: 1_000_000 }
    for (let id = 0; id < CALLS; id += 1) client.send(line({ id, method: 'execute_plugin', params }))
    await delay(500)
    client.destroy()
    await until(async () => {
      const { in_flight: inFlight, queued } = (await daemon.system.get_status()).calls
      return inFlight + queued === 0
    }, 'its calls to be gone')
  })

  it('(one that closes its writing half at once) gets the whole of a large answer', async () => {
    const client = await daemon.connect()
    const params = { plugin_id: 'echoes', operation: 'letters', input: 5_000_000 }
    client.socket.end(line({ id: 1, method: 'execute_plugin', params }))
    expect(resultOf(await client.answer(1))).to.have.length(5_000_000)
    await client.closed
  })

  it('(one that sends garbage and never reads) costs bounded memory', async () => {
    const client = await daemon.connect()
    client.socket.pause()
    const watch = watchMemory(daemon)
    const garbage = Buffer.from('x\n'.repeat(32_768))
    for (let sent = 0; sent < 200 && !client.isClosed; sent += 1) {
      client.socket.write(garbage)
      await delay(2)
    }
    expect(await promptness(daemon)).to.be.below(PROMPT_MS)
    expect(await watch.growthMb()).to.be.below(250)
    client.destroy()
  })

  for (const [how, leave] of Object.entries({
    'after a handshake': async (client: RawClient) => {
      await client.handshake()
    },
    'as a plain client': async () => {},
  })) {
    it(`(one that leaves in the middle of 100 calls, ${how}) has them cancelled`, async () => {
      const client = await daemon.connect()
      await leave(client)
      const params = { plugin_id: 'echoes', operation: 'wait', input: 8_000 }
      for (let id = 0; id < 100; id += 1) client.send(line({ id, method: 'execute_plugin', params }))
      const open = async (): Promise<number> => {
        const { in_flight: inFlight, queued } = (await daemon.system.get_status()).calls
        return inFlight + queued
      }
      await until(async () => (await open()) === 100, 'the calls to be open')
      client.destroy()
      await until(async () => (await open()) === 0, 'the calls to be cancelled', 3_000)
      await until(
        async () => (await daemon.info('echoes')).instances[0]?.calls_in_flight === 0,
        'the plugin to let go',
      )
    })
  }

  it('(more than 10,000 calls at once) gets QUEUE_FULL for those beyond, and an answer for each', async () => {
    const client = await daemon.connect()
    const calls = 12_000
    const wait = { plugin_id: 'echoes', operation: 'wait', input: 30_000, timeout_ms: 3_000 }
    client.send(
      Array.from({ length: calls }, (_, id) => line({ id, method: 'execute_plugin', params: wait })).join(''),
    )
    await until(() => client.messages.length >= calls, 'an answer for each', 30_000)
    const names = client.messages.map(({ error }) => error?.data?.name ?? 'ok')
    expect(new Set(client.messages.map(({ id }) => id)).size).to.equal(calls)
    expect(names.filter((name) => name === 'QUEUE_FULL')).to.have.length.above(0)
    expect(names.filter((name) => !['ok', 'QUEUE_FULL', 'CALL_TIMEOUT'].includes(name))).to.deep.equal([])
  })
})

/** How long another plugin takes to answer another client. */
async function promptness(daemon: TestDaemon): Promise<number> {
  const startedMs = performance.now()
  expect((await daemon.call('others', 'echo', 'here')).result).to.equal('here')
  return performance.now() - startedMs
}

/** Looks at the daemon's memory until it is asked how much more it held at the most. */
function watchMemory(daemon: TestDaemon): { growthMb(): Promise<number> } {
  const startMb = daemon.memoryMb()
  let mostMb = startMb
  watches.push(setInterval(() => (mostMb = Math.max(mostMb, daemon.memoryMb())), 20))
  return {
    async growthMb() {
      await delay(100)
      return mostMb - startMb
    },
  }
}
