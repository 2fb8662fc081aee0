import fs from 'node:fs'
import type http from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { expect } from 'chai'

import { until } from '../helpers/daemon.ts'
import { EgressWorld, mirror, type Answer } from './egress-world.ts'

const TLS = path.resolve(import.meta.dirname, '../fixtures/tls')
const PEM = {
  key: fs.readFileSync(path.join(TLS, 'key.pem')),
  certificate: fs.readFileSync(path.join(TLS, 'certificate.pem')),
}

async function text(socket: net.Socket): Promise<string> {
  let said = ''
  for await (const chunk of socket) said += String(chunk)
  return said
}

async function getOver(socket: tls.TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n')
  const said = await text(socket)
  if (said === '') throw new Error('it said nothing')
  return said
}

function count(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, found) => (error === null ? resolve(found) : reject(error))),
  )
}

describe('EgressProxy, tunnels', () => {
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

  it('carries bytes both ways, also when one side has said all, and counts them', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    server.removeAllListeners('connection')
    server.on('connection', (socket: net.Socket) => socket.pipe(socket))
    const tunnel = (await world.tunnel(`127.0.0.1:${port}`)) as net.Socket
    tunnel.end('hello')
    expect(await text(tunnel)).to.equal('hello')
    expect(world.meter.use).to.deep.equal({ requests: 1, connections: 1, bytes: 10 })
  })

  it('lets a server speak first', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    server.removeAllListeners('connection')
    server.on('connection', (socket: net.Socket) => socket.end('welcome'))
    expect(await text((await world.tunnel(`127.0.0.1:${port}`)) as net.Socket)).to.equal('welcome')
  })

  it('carries TLS that asks for the granted server, and none that asks for another behind its address', async () => {
    const both = { 'api.test': [['127.0.0.1']], 'other.test': [['127.0.0.1']] }
    await start((free) => [`api.test:${free}`, `127.0.0.1:${free}`], both)
    server.close()
    const secure = https.createServer({ key: PEM.key, cert: PEM.certificate }, (_, response) =>
      response.end('safe'),
    )
    await new Promise<void>((resolve) => secure.listen(port, '127.0.0.1', resolve))
    try {
      for (const [servername, expected] of [
        ['api.test', 'safe'],
        ['API.TEST', 'safe'],
        ['other.test', 'refused'],
      ] as const) {
        const socket = (await world.tunnel(`api.test:${port}`)) as net.Socket
        const answer = await getOver(tls.connect({ socket, servername, ca: PEM.certificate })).catch(
          () => 'refused',
        )
        expect(answer, servername).to.include(expected)
      }
      expect(world.refusals.map(({ reason, message }) => [reason, message])).to.deep.equal([
        ['tls_name', `A tunnel to api.test:${port} asked in TLS for "other.test"`],
      ])
    } finally {
      secure.closeAllConnections()
      secure.close()
    }
  })

  it('closes a tunnel whose TLS never comes to the end of its first words', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    const tunnel = (await world.tunnel(`127.0.0.1:${port}`)) as net.Socket
    tunnel.write(
      Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff, 1, 0, 0x7f, 0xff]), Buffer.alloc(80_000, 1)]),
    )
    await text(tunnel).catch(() => {})
    expect(world.refusals[0]).to.have.property('reason', 'tls_name')
  })

  it('opens only so many at once', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    const tunnels = await Promise.all(Array.from({ length: 70 }, () => world.tunnel(`127.0.0.1:${port}`)))
    const refused = tunnels.filter((one): one is Answer => 'status' in one)
    expect(refused.map(({ status }) => status)).to.deep.equal([503, 503, 503, 503, 503, 503])
  })

  it('has room again when tunnels have ended', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    for (let at = 0; at < 3; at += 1) {
      const tunnels = await Promise.all(Array.from({ length: 60 }, () => world.tunnel(`127.0.0.1:${port}`)))
      for (const tunnel of tunnels as net.Socket[]) tunnel.destroy()
      await until(async () => (await count(server)) === 0, 'the server to see them end')
    }
  })

  it('refuses one that is not granted', async () => {
    await start(() => ['api.ok.test'])
    const answer = (await world.tunnel('evil.test:443')) as Answer
    expect(answer.status).to.equal(403)
    expect(world.refusals[0]).to.have.property('missing', 'network:evil.test')
  })

  it('ends everything when it is closed', async () => {
    await start((free) => [`127.0.0.1:${free}`])
    let ended = 0
    server.on('connection', (socket: net.Socket) => socket.once('close', () => (ended += 1)))
    const tunnel = (await world.tunnel(`127.0.0.1:${port}`)) as net.Socket
    await world.closeProxy()
    await until(() => tunnel.destroyed && ended === 1, 'both ends to close')
  })
})
