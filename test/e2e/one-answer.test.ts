import { expect } from 'chai'
import { outcomeOf, TestDaemon } from '../helpers/daemon.ts'
import { line } from '../helpers/raw-client.ts'

const CALLS = 2_000
/** A crash takes the other calls of its process along and costs a start: few are enough. */
const CRASH_EVERY = 97
const PLUGINS = ['first', 'second', 'third']

type Kind = 'ok' | 'throw' | 'crash' | 'timeout' | 'cancel'
const USUAL: readonly Kind[] = ['ok', 'throw', 'ok', 'timeout', 'ok', 'cancel', 'ok']

/** What may come of each kind; a neighbour's crash may come of all of them. */
const ALLOWED: Readonly<Record<Kind, readonly string[]>> = {
  ok: ['ok', 'PLUGIN_CRASHED'],
  throw: ['failed', 'PLUGIN_CRASHED'],
  crash: ['PLUGIN_CRASHED'],
  timeout: ['CALL_TIMEOUT', 'PLUGIN_CRASHED'],
  cancel: ['CALL_CANCELLED', 'PLUGIN_CRASHED'],
}

describe('Every call', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: PLUGINS.map((id) => `echoes as ${id}`) })
    await Promise.all(PLUGINS.map((id) => daemon.call(id, 'echo')))
  })
  after(() => daemon.stop())
  afterEach('nothing is in flight any more', async () => {
    expect((await daemon.system.get_status()).calls).to.deep.include({ in_flight: 0, queued: 0 })
  })

  it(`of ${CALLS}, with failures, crashes, deadlines and cancels among them, settles once as it should`, async () => {
    const wrong: string[] = []
    const seen = new Map<string, number>()
    const { total: before } = (await daemon.system.get_status()).calls
    await inGroups(CALLS, 100, async (at) => {
      const kind = kindOf(at)
      const outcome = await outcomeOf(callOf(daemon, at, kind))
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      if (!ALLOWED[kind].includes(outcome)) wrong.push(`call ${at} (${kind}): ${outcome}`)
    })
    expect(wrong).to.deep.equal([])
    expect([...seen.values()].reduce((sum, count) => sum + count, 0)).to.equal(CALLS)
    for (const outcome of ['ok', 'failed', 'CALL_TIMEOUT', 'CALL_CANCELLED', 'PLUGIN_CRASHED']) {
      expect(seen.get(outcome) ?? 0, outcome).to.be.above(0)
    }
    expect((await daemon.system.get_status()).calls.total - before).to.equal(CALLS)
  })

  it('of a client that counts the answers on the wire gets exactly one for its id', async () => {
    const client = await daemon.connect()
    const ids = Array.from({ length: 500 }, (_, at) => at)
    for (const at of ids) {
      const kind = kindOf(at)
      const { operation, input, timeout_ms } = requestOf(kind)
      const params = {
        plugin_id: PLUGINS[at % PLUGINS.length],
        operation,
        input,
        ...(timeout_ms && { timeout_ms }),
      }
      client.send(line({ id: at, method: 'execute_plugin', params }))
      if (kind === 'cancel') client.send(line({ method: 'cancel', params: { id: at } }))
    }
    for (const at of ids) await client.answer(at)
    // Whatever came late would be ahead of this answer: each process is asked once more.
    await Promise.all(PLUGINS.map((id) => daemon.call(id, 'echo')))
    await client.request('get_status', {}, 'last')
    const counts = new Map<unknown, number>()
    for (const { id, method } of client.messages)
      if (method === undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    expect([...counts].filter(([, count]) => count !== 1)).to.deep.equal([])
    expect(counts.size).to.equal(ids.length + 1)
  })
})

function kindOf(at: number): Kind {
  return at % CRASH_EVERY === CRASH_EVERY - 1 ? 'crash' : USUAL[at % USUAL.length]!
}

function requestOf(kind: Kind): { operation: string; input: unknown; timeout_ms?: number } {
  switch (kind) {
    case 'ok':
      return { operation: 'echo', input: 'x' }
    case 'throw':
      return { operation: 'fail', input: 'in words' }
    case 'crash':
      return { operation: 'crash', input: null }
    case 'timeout':
      return { operation: 'wait', input: 20_000, timeout_ms: 20 }
    case 'cancel':
      return { operation: 'wait', input: 20_000 }
  }
}

function callOf(daemon: TestDaemon, at: number, kind: Kind): ReturnType<TestDaemon['call']> {
  const { operation, input, timeout_ms } = requestOf(kind)
  const id = PLUGINS[at % PLUGINS.length]!
  if (kind !== 'cancel')
    return daemon.call(id, operation, input, timeout_ms === undefined ? {} : { timeout_ms })
  const controller = new AbortController()
  setTimeout(() => controller.abort(), at % 30)
  return daemon.call(id, operation, input, { signal: controller.signal })
}

/** Runs `count` pieces of work, so many of them at once. */
async function inGroups(count: number, atOnce: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await work(at)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
