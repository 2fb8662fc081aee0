import type http from 'node:http'
import type net from 'node:net'
import { expect } from 'chai'

import { until } from '../helpers/daemon.ts'
import { EgressWorld, mirror } from './egress-world.ts'

interface Seen {
  method: string
  url: string
  raw: string[]
  body: string
}

describe('EgressProxy', () => {
  let world: EgressWorld
  let server: http.Server
  let port: number

  async function start(
    rules: (port: number) => readonly string[],
    names: Readonly<Record<string, readonly (readonly string[])[]>> = {},
  ): Promise<void> {
    server = mirror()
    ;({ world, port } = await EgressWorld.start(server, rules, names))
  }
  afterEach(() => world.close())

  describe('plain requests', () => {
    it('sends on what is granted, with a Host of its own and without what belongs to the connection', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const { status, body } = await world.request(`http://127.0.0.1:${port}/a?b=c`, {
        method: 'POST',
        body: 'hello',
        headers: {
          connection: 'close, x-secret-hop',
          'x-secret-hop': '1',
          'proxy-authorization': 'Basic eDp5',
          te: 'trailers',
          'x-kept': 'yes',
        },
      })
      expect(status).to.equal(200)
      const seen = JSON.parse(body) as Seen
      expect(seen).to.deep.include({ method: 'POST', url: '/a?b=c', body: 'hello' })
      expect(seen.raw.slice(0, 2)).to.deep.equal(['host', `127.0.0.1:${port}`])
      const names = seen.raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
      expect(names).to.include('x-kept')
      expect(names).not.to.include.members(['proxy-authorization'])
      expect(names).not.to.include.members(['x-secret-hop'])
      expect(names).not.to.include.members(['te'])
      expect(world.meter.use).to.deep.include({ requests: 1, connections: 0 })
      expect(world.meter.use.bytes).to.be.greaterThan(10)
    })

    it('refuses what is not granted, and names the permission that would allow it', async () => {
      await start(() => ['api.ok.test'])
      const { status, body, headers } = await world.request('http://evil.test/')
      expect(status).to.equal(403)
      expect(body).to.include('evil.test is not granted').and.to.include('"network:evil.test"')
      expect(headers['x-phantom-egress']).to.equal('not_granted')
      expect(world.refusals[0]).to.deep.include({ host: 'evil.test', port: 80, missing: 'network:evil.test' })
      expect(world.asked, 'a refused name is not even looked up').to.deep.equal([])
      expect(world.meter.use).to.deep.equal({ requests: 0, connections: 0, bytes: 0 })
    })

    it('refuses another port than the granted one', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const { status, body } = await world.request(`http://127.0.0.1:1/`)
      expect(status).to.equal(403)
      expect(body).to.include('"network:127.0.0.1:1"')
    })

    it('refuses a granted name that resolves to an address of no public network', async () => {
      await start((free) => [`api.test:${free}`], { 'api.test': [['127.0.0.1']] })
      const { status, body } = await world.request(`http://api.test:${port}/`)
      expect(status).to.equal(403)
      expect(body).to.include('resolves to 127.0.0.1, a loopback address')
      expect(world.refusals[0]).to.have.property('missing', `network:127.0.0.1:${port}`)
    })

    it('looks every request up anew, so that a name that moves inside is refused from then on', async () => {
      await start((free) => [`api.test:${free}`, `127.0.0.1:${free}`], {
        'api.test': [['127.0.0.1'], ['169.254.169.254']],
      })
      expect((await world.request(`http://api.test:${port}/`)).status).to.equal(200)
      const { status, body } = await world.request(`http://api.test:${port}/`)
      expect(status).to.equal(403)
      expect(body).to.include('the metadata service of clouds')
    })

    it('writes the Host of the name that was granted, however the plugin spells it', async () => {
      await start((free) => [`api.test:${free}`, `127.0.0.1:${free}`], { 'api.test': [['127.0.0.1']] })
      const { body } = await world.request(`http://API.test.:${port}/`)
      expect((JSON.parse(body) as Seen).raw.slice(0, 2)).to.deep.equal(['host', `api.test:${port}`])
    })

    it('does not follow a redirect: the next hop is a request of its own', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      server.removeAllListeners('request')
      server.on('request', (_request, response: http.ServerResponse) => {
        response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' })
        response.end()
      })
      const first = await world.request(`http://127.0.0.1:${port}/`)
      expect(first.status).to.equal(302)
      expect((await world.request(first.headers.location!)).status).to.equal(403)
    })

    it('answers 502 where nothing listens, and where a name has no address', async () => {
      await start((free) => [`127.0.0.1:${free}`, 'nowhere.test'])
      await new Promise((resolve) => server.close(resolve))
      expect((await world.request(`http://127.0.0.1:${port}/`)).body).to.include('ECONNREFUSED')
      expect(await world.request('http://nowhere.test/')).to.deep.include({ status: 502 })
    })

    it('keeps connections to a server, and passes a long answer on under the pressure of its reader', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const connections = new Set<net.Socket>()
      server.on('connection', (socket: net.Socket) => connections.add(socket))
      for (let at = 0; at < 5; at += 1) await world.request(`http://127.0.0.1:${port}/${at}`)
      expect(connections.size).to.equal(1)
      let sent = 0
      server.removeAllListeners('request')
      server.on('request', (_request, response: http.ServerResponse) => {
        const chunk = Buffer.alloc(64 * 1024)
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length
          sent += chunk.length
        }
        response.on('drain', more)
        more()
      })
      const client = world.open()
      client.pause()
      client.write(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
      let before = -1
      await until(() => {
        const isStill = sent > 0 && sent === before
        before = sent
        return isStill
      }, 'the server to be held back')
      expect(sent, 'bytes in buffers').to.be.lessThan(32 * 1024 * 1024)
      client.destroy()
    })
  })

  describe('hostile requests', () => {
    const cases: readonly (readonly [string, (port: number) => string, RegExp])[] = [
      [
        'two lengths',
        (at) =>
          `POST http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'a length and chunks',
        (at) =>
          `POST http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'chunks behind another coding',
        (at) =>
          `POST http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'a Host of another',
        (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: evil.test\r\n\r\n`,
        /^HTTP\/1\.1 400[^]*names another host/,
      ],
      [
        'two Hosts',
        (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nHost: evil.test\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      ['no Host', (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 400/],
      [
        'a path alone',
        (at) => `GET / HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\n\r\n`,
        /^HTTP\/1\.1 400[^]*names no "http/,
      ],
      [
        'https without a tunnel',
        (at) => `GET https://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\n\r\n`,
        /^HTTP\/1\.1 400[^]*CONNECT/,
      ],
      [
        'a user before the host',
        (at) => `GET http://ok@127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'a fragment',
        (at) => `GET http://127.0.0.1:${at}/#x HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'an address in a short form',
        (at) => `GET http://127.1:${at}/ HTTP/1.1\r\nHost: 127.1:${at}\r\n\r\n`,
        /^HTTP\/1\.1 400[^]*four decimal numbers/,
      ],
      [
        'a NUL in the host',
        (at) => `GET http://127.0.0.1\u0000.evil.test:${at}/ HTTP/1.1\r\nHost: x\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'a line folded',
        (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nX: a\r\n b\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'a blank before a colon',
        (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nContent-Length : 5\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'h2c',
        (at) =>
          `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n`,
        /^HTTP\/1\.1 501/,
      ],
      [
        'an expectation that nobody knows',
        (at) => `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nExpect: a-miracle\r\n\r\n`,
        /^HTTP\/1\.1 501[^]*100-continue/,
      ],
      ['HTTP/2 from the start', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400/],
      [
        'a head that is too large',
        (at) =>
          `GET http://127.0.0.1:${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${at}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
        /^HTTP\/1\.1 431/,
      ],
      ['bytes of TLS', () => '\u0016\u0003\u0001\u0000\u0005hello', /^HTTP\/1\.1 400/],
      [
        'CONNECT without a port',
        () => 'CONNECT api.test HTTP/1.1\r\nHost: api.test\r\n\r\n',
        /^HTTP\/1\.1 400/,
      ],
      [
        'CONNECT with a Host of another',
        (at) => `CONNECT 127.0.0.1:${at} HTTP/1.1\r\nHost: evil.test\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [
        'CONNECT to a mail server',
        () => 'CONNECT 127.0.0.1:25 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
        /^HTTP\/1\.1 403/,
      ],
    ]
    for (const [what, request, answer] of cases) {
      it(`refuses ${what}, and the server sees nothing of it`, async () => {
        await start((free) => [`127.0.0.1:${free}`])
        let reached = 0
        server.on('connection', () => (reached += 1))
        expect(await world.say(request(port))).to.match(answer)
        expect(reached).to.equal(0)
        expect(world.refusals).to.have.length(1)
      })
    }

    it('frames what it sends anew: what hides behind a body is no request to the server', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const hidden = `GET http://127.0.0.1:${port}/hidden HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
      const said = await world.say(
        `POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
          `${hidden.length.toString(16)};x=y\r\n${hidden}\r\n0\r\nX-Trailer: 1\r\n\r\n`,
      )
      const seen = JSON.parse(/\{.*\}/.exec(said)![0]) as Seen
      expect(seen.body).to.equal(hidden)
      expect(seen.raw.join(' ').toLowerCase()).not.to.include('x-trailer')
    })

    it('answers one request of a connection at a time', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const request = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
      const said = await world.say(request + request)
      expect(said)
        .to.match(/^HTTP\/1\.1 200/)
        .and.to.match(/HTTP\/1\.1 501/)
      expect(world.meter.use.requests).to.equal(1)
    })

    it('lets nobody hold a connection by sending slowly', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const socket = world.open()
      let answer = ''
      socket.on('data', (chunk) => (answer += chunk))
      socket.write(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\n`)
      const drip = setInterval(() => socket.write('X: y\r\n'), 50)
      try {
        await until(() => socket.destroyed || socket.readableEnded, 'the end of it')
      } finally {
        clearInterval(drip)
      }
      expect(answer).to.match(/^HTTP\/1\.1 408/)
    })

    it('takes only so many connections at once, and the next ones again when there is room', async () => {
      await start((free) => [`127.0.0.1:${free}`])
      const sockets = Array.from({ length: 200 }, () => world.open())
      await until(
        () => sockets.filter((one) => one.destroyed || one.readableEnded).length >= 72,
        'the rest to be closed',
      )
      for (const socket of sockets) socket.destroy()
      await until(
        async () => (await world.request(`http://127.0.0.1:${port}/`).catch(() => null))?.status === 200,
        'a request to pass again',
      )
    })
  })
})
