import { duplexPair, type Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { MAX_PLAIN_FRAME_BYTES } from '../../../src/contract/limits.ts'
import type { PhantomError } from '../../../src/contract/phantom-error.ts'
import { Connection, type Answer, type IncomingRequest } from '../../../src/rpc/connection.ts'
import type { ConnectionOptions } from '../../../src/rpc/connection-options.ts'

interface Peer {
  connection: Connection
  requests: IncomingRequest[]
  notifications: [string, unknown][]
  strays: unknown[]
  closed: (PhantomError | null)[]
}

function peer(stream: Duplex, options: Partial<ConnectionOptions> = {}): Peer {
  const seen: Omit<Peer, 'connection'> = { requests: [], notifications: [], strays: [], closed: [] }
  const connection = new Connection(stream, {
    maxPayloadBytes: 64 * 1024 * 1024,
    payloadFrames: true,
    strict: false,
    onRequest: (request) => seen.requests.push(request),
    onNotification: (method, params) => seen.notifications.push([method, params]),
    onStrayAnswer: (id) => seen.strays.push(id),
    onClose: (error) => seen.closed.push(error),
    ...options,
  })
  return { connection, ...seen }
}

/** Waits a turn of the event loop at a time until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000; turn += 1) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect.fail('the condition never held')
}

function pair(
  options: { left?: Partial<ConnectionOptions>; right?: Partial<ConnectionOptions> } = {},
): [Peer, Peer] {
  const [left, right] = duplexPair()
  return [peer(left, options.left), peer(right, options.right)]
}

for (const payloadFrames of [true, false]) {
  describe(`Connection with ${payloadFrames ? 'payload' : 'plain'} frames`, () => {
    const options = { left: { payloadFrames }, right: { payloadFrames } }

    it('carries a request with its payload there and an answer with its payload back', async () => {
      const [left, right] = pair(options)
      const answers: Answer[] = []
      left.connection.request('run', { a: 1 }, Buffer.from('{"in":"é"}'), (answer) => answers.push(answer))
      await until(() => right.requests.length === 1)
      const [request] = right.requests
      expect(request!.params).to.deep.equal({ a: 1 })
      expect(request!.payload!.toString()).to.equal('{"in":"é"}')
      right.connection.respond(request!.id, { ok: true }, Buffer.from('[1,2]'))
      await until(() => answers.length === 1)
      const answer = answers[0]! as Answer & { error: null; result: { ok: boolean; result?: unknown } }
      expect(answer.error).to.equal(null)
      const result = answer.payload === null ? answer.result.result : JSON.parse(answer.payload.toString())
      expect(result).to.deep.equal([1, 2])
      expect(answer.result.ok).to.equal(true)
    })

    it('keeps a thousand answers apart, in whatever order they come', async () => {
      const [left, right] = pair(options)
      const got = new Map<number, unknown>()
      for (let n = 0; n < 1000; n += 1) {
        left.connection.request('run', { n }, null, (answer) =>
          got.set(n, (answer as { result: unknown }).result),
        )
      }
      await until(() => right.requests.length === 1000)
      for (const { id, params } of right.requests.toReversed()) right.connection.respond(id, params, null)
      await until(() => got.size === 1000)
      for (const [n, result] of got) expect(result).to.deep.equal({ n })
    })

    it('answers every open request exactly once when the stream ends', async () => {
      const [left, right] = pair(options)
      let answers = 0
      for (let n = 0; n < 100; n += 1) left.connection.request('run', {}, null, () => (answers += 1))
      await until(() => right.requests.length === 100)
      right.connection.destroy()
      left.connection.destroy()
      left.connection.destroy()
      expect(answers).to.equal(100)
      expect(left.closed).to.have.length(1)
    })

    it('tells of an answer to a request that was never made, and lives on', async () => {
      const [left, right] = pair(options)
      right.connection.respond(77, {}, null)
      right.connection.respond('forged', {}, null)
      await until(() => left.strays.length === 2)
      expect(left.connection.isClosed).to.equal(false)
    })
  })
}

describe('Connection', () => {
  it('refuses misshapen messages by name and lives on, unless it is strict', async () => {
    for (const strict of [false, true]) {
      const [raw, stream] = duplexPair()
      let text = ''
      raw.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      const { connection, closed } = peer(stream, { strict })
      raw.write(
        '{"id":1,"method":"x"}\n{"jsonrpc":"2.0","id":{},"method":"x"}\n{"jsonrpc":"2.0","id":2,"method":5}\n',
      )
      await until(() => text.includes('\n'))
      expect(text).to.match(strict ? /PROTOCOL_VIOLATION/ : /REQUEST_INVALID.*\n.*REQUEST_INVALID/)
      expect(connection.isClosed).to.equal(strict)
      expect(closed).to.have.length(strict ? 1 : 0)
      connection.destroy()
    }
  })

  it('ends a peer that breaks the framing, after telling it why', async () => {
    const [raw, stream] = duplexPair()
    let text = ''
    raw.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    const { closed } = peer(stream)
    raw.write('{"jsonrpc":"2.0","method":"x","payload_bytes":-5}\n')
    await until(() => closed.length === 1 && text !== '')
    expect(closed[0]!.code).to.equal('PROTOCOL_VIOLATION')
    expect(text).to.contain('is -5, expected a whole number')
  })

  it('answers with an error where a payload does not fit a plain frame', async () => {
    const [left, right] = pair({ left: { payloadFrames: false }, right: { payloadFrames: false } })
    const answers: Answer[] = []
    left.connection.request('run', {}, null, (answer) => answers.push(answer))
    await until(() => right.requests.length === 1)
    right.connection.respond(right.requests[0]!.id, {}, Buffer.alloc(MAX_PLAIN_FRAME_BYTES + 1, 0x20))
    await until(() => answers.length === 1)
    expect(answers[0]!.error!.data!.name).to.equal('PAYLOAD_TOO_LARGE')
  })

  it('takes no payload as part of the envelope: bytes that close the object add nothing to it', async () => {
    const [left, right] = pair()
    left.connection.request('run', {}, Buffer.from('{},"success":true}'), () => {})
    left.connection.request('next', {}, null, () => {})
    await until(() => right.requests.length === 2)
    expect(right.requests.map((request) => request.method)).to.deep.equal(['run', 'next'])
    expect(right.requests[0]!.params).to.deep.equal({})
  })

  it('stops reading from a peer that does not take its answers', async () => {
    const [raw, stream] = duplexPair()
    const { connection, requests } = peer(stream, { pausesWhenBehind: true })
    raw.write('{"jsonrpc":"2.0","id":1,"method":"x"}\n')
    await until(() => requests.length === 1)
    connection.respond(1, {}, Buffer.alloc(40 * 1024 * 1024))
    await until(() => connection.isOverBudget)
    raw.write('{"jsonrpc":"2.0","id":2,"method":"x"}\n')
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(requests).to.have.length(1)
    raw.resume()
    await until(() => requests.length === 2)
  })

  it('takes a bounded number of frames in a turn, so that other peers have theirs in between', async () => {
    const turns: string[] = []
    const tell = (name: string) => ({
      framesPerTurn: 2,
      onRequest: ({ id }: IncomingRequest) => turns.push(`${name} ${String(id)}`),
    })
    const [flood, flooded] = duplexPair()
    const [polite, served] = duplexPair()
    peer(flooded, tell('flood'))
    peer(served, tell('polite'))
    const lines = Array.from({ length: 7 }, (_, id) => `{"jsonrpc":"2.0","id":${id},"method":"x"}\n`)
    flood.write(lines.join(''))
    flood.end()
    polite.write(lines[0])
    await until(() => turns.length === 8)
    expect(turns.indexOf('polite 0'), turns.join()).to.be.below(4)
    expect(turns.filter((turn) => turn.startsWith('flood'))).to.deep.equal(
      Array.from({ length: 7 }, (_, id) => `flood ${id}`),
    )
  })

  it('does not read on behind a notification for as long as its owner says', async () => {
    const told: [string, number][] = []
    const [raw, stream] = duplexPair()
    const pauses = [0, 40, 0, 40, 0]
    const { connection } = peer(stream, {
      pauseMs: () => pauses.shift() ?? 0,
      onNotification: (method) => void told.push([method, performance.now()]),
    })
    connection.request('ask', {}, null, () => told.push(['answer', performance.now()]))
    const said = Array.from({ length: 5 }, (_, at) => `{"jsonrpc":"2.0","method":"n${at}","params":{}}\n`)
    raw.write(`${said[0]}${said[1]}{"jsonrpc":"2.0","id":1,"result":null}\n${said[2]}${said[3]}`)
    while (told.length < 5) await delay(5)
    raw.write(said[4])
    while (told.length < 6) await delay(5)
    expect(told.map(([name]) => name)).to.eql(['n0', 'n1', 'answer', 'n2', 'n3', 'n4'])
    const gaps = told.slice(1).map(([, atMs], at) => atMs - told[at]![1])
    expect(
      [gaps[1], gaps[4]].every((gapMs) => gapMs! >= 35),
      gaps.join(),
    ).to.equal(true)
  })

  it('takes the last words of a peer that has ended at once', async () => {
    const told: string[] = []
    const [raw, stream] = duplexPair()
    const { connection } = peer(stream, {
      pauseMs: () => 60_000,
      onNotification: (method) => void told.push(method),
    })
    const said = Array.from({ length: 5 }, (_, at) => `{"jsonrpc":"2.0","method":"n${at}","params":{}}\n`)
    raw.write(said.slice(0, 4).join(''))
    await until(() => told.length > 0)
    expect(told).to.eql(['n0'])
    connection.takeLastWords()
    expect(told).to.eql(['n0', 'n1', 'n2', 'n3'])
    raw.write(said[4])
    await until(() => told.length === 5)
  })

  it('drops what waits for its turn when it is closed', async () => {
    const [raw, stream] = duplexPair()
    const { connection, requests } = peer(stream, { framesPerTurn: 1 })
    raw.write('{"jsonrpc":"2.0","id":1,"method":"x"}\n{"jsonrpc":"2.0","id":2,"method":"x"}\n')
    await until(() => requests.length === 1)
    connection.destroy()
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(requests).to.have.length(1)
  })
})
