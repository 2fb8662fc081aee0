import { createHash } from 'node:crypto'
import http from 'node:http'
import { expect } from 'chai'
import * as fc from 'fast-check'

import { EgressWorld } from './egress-world.ts'

const FUZZ_RUNS = 600
/** A request that promises more than it brings is waited for; so long is enough to see that nothing comes of it. */
const CUT_MS = 20
const LARGE = Buffer.alloc(5 * 1024 * 1024, 'abcdefg')

/** Answers in every shape that HTTP has, by the path. */
function shapes(): http.Server {
  return http.createServer((request, response) => {
    switch (request.url) {
      case '/no-content':
        response.writeHead(204).end()
        return
      case '/not-modified':
        response.writeHead(304, { etag: '"x"' }).end()
        return
      case '/chunks':
        response.write('first')
        setImmediate(() => response.end(' second'))
        return
      case '/reason':
      case '/control':
        inItsOwnLanguage(request)
        return
      case '/early':
        response.writeHead(413).end('too much')
        return
      case '/slow':
        // The rest comes when the client has seen the first.
        response.write('first')
        request.once('close', () => response.end())
        return
      case '/large':
        response.writeHead(200, { 'content-length': LARGE.length }).end(LARGE)
        return
      case '/two-cookies':
        response.writeHead(200, [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['connection', 'x-hop'],
          ['x-hop', '1'],
        ])
        response.end()
        return
      default: {
        const hash = createHash('sha256')
        request.on('data', (chunk: Buffer) => hash.update(chunk))
        request.on('end', () => response.end(hash.digest('hex')))
      }
    }
  })
}

/** Node's own server refuses to write such lines. */
function inItsOwnLanguage(request: http.IncomingMessage): void {
  const reason = request.url === '/control' ? 'a\u0001b' : 'Не найдено'
  request.socket.end(`HTTP/1.1 404 ${reason}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno`)
}

describe('EgressProxy, messages', () => {
  let world: EgressWorld
  let port: number

  before(async () => {
    ;({ world, port } = await EgressWorld.start(shapes(), (at) => [`127.0.0.1:${at}`]))
  })
  after(() => world.close())

  const url = (path: string): string => `http://127.0.0.1:${port}${path}`

  it('passes on answers without a body', async () => {
    expect(await world.request(url('/no-content'))).to.deep.include({ status: 204, body: '' })
    expect(await world.request(url('/not-modified'))).to.deep.include({ status: 304, body: '' })
    const { status, headers, body } = await world.request(url('/large'), { method: 'HEAD' })
    expect([status, headers['content-length'], body]).to.deep.equal([200, String(LARGE.length), ''])
  })

  it('passes on chunks, headers that come twice, and none that belong to the connection', async () => {
    expect(await world.request(url('/chunks'))).to.deep.include({ status: 200, body: 'first second' })
    const { headers } = await world.request(url('/two-cookies'))
    expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2'])
    expect(headers).to.not.have.property('x-hop')
  })

  it('passes on an answer whose first line is not in ASCII', async () => {
    for (const path of ['/reason', '/control'])
      expect(await world.request(url(path)), path).to.deep.include({ status: 404, body: 'no' })
  })

  it('passes on the beginning of an answer that is not at its end', async () => {
    const socket = world.open()
    socket.write(`GET ${url('/slow')} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    let said = ''
    for await (const chunk of socket) {
      said += String(chunk)
      if (said.includes('first')) break
    }
    expect(said).to.match(/^HTTP\/1\.1 200/)
  })

  it('carries large bodies both ways, whole', async () => {
    const digest = createHash('sha256').update(LARGE).digest('hex')
    for (const headers of [{ 'content-length': LARGE.length }, { 'transfer-encoding': 'chunked' }]) {
      const { body } = await world.request(url('/hash'), { method: 'POST', headers, body: LARGE.toString() })
      expect(body).to.equal(digest)
    }
    expect((await world.request(url('/large'))).body).to.have.length(LARGE.length)
  })

  it('passes on an answer that comes before the body was sent', async () => {
    const answer = await world
      .request(url('/early'), { method: 'POST', body: LARGE.toString() })
      .catch((error: NodeJS.ErrnoException) => error)
    // The server closes with much of the body unread: what arrives is its answer, or that it closed.
    expect('status' in answer ? answer.status : answer.code).to.be.oneOf([413, 502, 'ECONNRESET', 'EPIPE'])
  })

  it('answers a client that waits to be told to send its body', async () => {
    const said = await world.say(
      `POST ${url('/hash')} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`,
    )
    expect(said).to.match(/^HTTP\/1\.1 100[^]*HTTP\/1\.1 200/)
  })
})

/** What smugglers write between and into the lines of a request. */
const LINES = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 44',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length : 5',
  'Content-Length:\t5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding:\u000bchunked',
  'TRANSFER-ENCODING: Chunked',
  'Host: evil.test',
  'Host: 127.0.0.1:1',
  ' folded: yes',
  'X-A: b\u0000c',
  'X-A: b\rX-B: c',
  'Connection: content-length, host',
  'Connection: close',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'TE: trailers',
  'Trailer: host',
  'Proxy-Authorization: x',
  '',
]
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n'
type Framed = readonly [lines: readonly string[], body: string]
const FRAMED: readonly Framed[] = [
  [[], ''],
  [['Content-Length: 5'], 'hello'],
  [['Transfer-Encoding: chunked'], CHUNKS],
]
const FRAMED_BADLY: readonly Framed[] = [
  [[], 'hello'],
  [['Content-Length: 44'], ''],
  [['Content-Length: 0'], CHUNKS],
  [['Transfer-Encoding: chunked'], '5;x="\r\n"\r\nhello\r\n0\r\n\r\n'],
  [['Transfer-Encoding: chunked'], '5\nhello\n0\n\n'],
  [['Transfer-Encoding: chunked'], '-1\r\n\r\n'],
  [['Transfer-Encoding: chunked'], 'ffffffffffffffff5\r\nhello\r\n0\r\n\r\n'],
  [['Transfer-Encoding: chunked'], '0\r\nHost: evil.test\r\n\r\n'],
]

function mostly<Value>(usual: readonly Value[], rare: readonly Value[]): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  )
}

describe('EgressProxy against garbled requests', () => {
  const seen: { url: string; raw: string[]; body: string }[] = []
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      seen.push({ url: request.url ?? '', raw: request.rawHeaders, body })
      response.end('ok')
    })
  })
  const unreadable: string[] = []
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Connections that were cut in the middle come as ECONNRESET, or as an end that came too early.
    if (/^HPE_(?!INVALID_EOF_STATE)/.test(error.code ?? '')) unreadable.push(error.message)
    socket.destroy()
  })
  let world: EgressWorld
  let port: number

  before(async () => {
    ;({ world, port } = await EgressWorld.start(server, (at) => [`127.0.0.1:${at}`]))
  })
  after(() => world.close())

  it('sends nothing on that a server could read in another way', async function () {
    this.timeout(120_000)
    let reached = 0
    let run = 0
    const part = fc.record({
      method: mostly(['GET', 'POST', 'PUT'], ['HEAD', 'get', 'TRACE', 'G T']),
      path: mostly(['/', '/%00', '/../x'], ['/a b', '/a\u0000', '/\r\nHost:evil.test', '/?a#b', '']),
      lines: fc.array(mostly(['X-A: b', 'Accept: */*', 'TE: trailers'], LINES), { maxLength: 3 }),
      end: mostly(['\r\n'], ['\n', '\r']),
      framed: mostly(FRAMED, FRAMED_BADLY),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 2 }), async (parts) => {
        // Some of an earlier connection may still arrive.
        run += 1
        const hidden = `GET http://127.0.0.1:${port}/${run}/hidden HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`
        const text = parts.map(({ method, path, lines, end, framed: [framing, body] }) =>
          [
            `${method} http://127.0.0.1:${port}/${run}${path} HTTP/1.1`,
            `Host: 127.0.0.1:${port}`,
            ...framing,
            ...lines,
            '',
            body,
          ].join(end),
        )
        await sayAndCut(world, text.join('') + hidden)
        expect(unreadable, 'what the server could not read').to.deep.equal([])
        const mine = seen.filter(({ url }) => url.split(/[/?]/)[1] === String(run))
        expect(mine.length).to.be.at.most(parts.length + 1)
        for (const { raw, url } of seen.splice(0)) {
          reached += 1
          const names = raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
          expect(raw[names.indexOf('host') * 2 + 1], url).to.equal(`127.0.0.1:${port}`)
          expect(names.filter((name) => name === 'host')).to.have.length(1)
          expect(
            names.filter((name) => name === 'content-length' || name === 'transfer-encoding').length,
          ).to.be.at.most(1)
          expect(names.filter((name) => /^(?:proxy-|upgrade|te$|trailer|expect)/.test(name))).to.deep.equal(
            [],
          )
        }
      }),
      { numRuns: FUZZ_RUNS },
    )
    expect(reached, 'requests that the server saw').to.be.greaterThan(FUZZ_RUNS / 50)
  })
})

async function sayAndCut(world: EgressWorld, text: string): Promise<void> {
  const socket = world.open()
  socket.write(Buffer.from(text, 'latin1'))
  const cut = setTimeout(() => socket.destroy(), CUT_MS)
  socket.resume()
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  clearTimeout(cut)
}
