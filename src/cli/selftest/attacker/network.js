import dgram from 'node:dgram'
import dns from 'node:dns'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'

async function connected(options, connect = net.connect) {
  const socket = connect(options)
  socket.on('error', () => {})
  try {
    await once(socket, 'connect')
    const [data] = await once(socket, 'data').catch(() => ['connected'])
    return String(data).slice(-60)
  } finally {
    socket.destroy()
  }
}

export async function connect(tries, { targets }) {
  for (const target of targets)
    await tries.at(`a connection to ${JSON.stringify(target)}`, () => connected(target))
}

export async function request(tries, { port }) {
  const url = `http://127.0.0.1:${port}/`
  await tries.at('fetch()', async () => (await fetch(url)).text())
  await tries.at('http.get()', async () => {
    const [response] = await once(http.get(url), 'response')
    return Buffer.concat(await response.toArray()).toString()
  })
  await tries.at('http2', () => connected(null, () => http2.connect(url)))
  await tries.at('tls', () => connected({ host: '127.0.0.1', port, rejectUnauthorized: false }, tls.connect))
  await tries.at(
    'WebSocket',
    async () => (await once(new WebSocket(url.replace('http', 'ws')), 'open')) && 'open',
  )
  await tries.at(
    'EventSource',
    async () => typeof EventSource === 'function' && (await once(new EventSource(url), 'open')) && 'open',
  )
  await tries.at('an agent with a lookup of its own', async () => {
    const lookup = (_name, options, done) =>
      done(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
    const [response] = await once(http.get({ host: 'allowed.example', port, lookup }), 'response')
    return Buffer.concat(await response.toArray()).toString()
  })
  await tries.at('fetch() of file:', async () => (await fetch('file:///etc/passwd')).text())
}

async function bound(kind, options) {
  const socket = dgram.createSocket(kind)
  socket.on('error', () => {})
  socket.bind(options)
  await once(socket, 'listening')
  return socket
}

export async function datagrams(tries, { port }) {
  await tries.at('a datagram to the host', async () => {
    const socket = dgram.createSocket('udp4')
    socket.on('error', () => {})
    await new Promise((resolve, reject) =>
      socket.send('x', port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    )
    socket.close()
    return null // Whether it arrived, the host knows.
  })
  for (const group of ['239.255.255.250', '224.0.0.251'])
    await tries.at(`multicast to ${group}`, async () => {
      const socket = await bound('udp4', { port: 0 })
      try {
        socket.addMembership(group)
        await new Promise((resolve, reject) =>
          socket.send('x', 1900, group, (error) => (error ? reject(error) : resolve())),
        )
        return 'sent'
      } finally {
        socket.close()
      }
    })
}

export async function names(tries, { port }) {
  await tries.at('dns.lookup()', async () => (await dns.promises.lookup('example.com')).address)
  await tries.at('dns.lookup() of localhost', async () => {
    const { address } = await dns.promises.lookup('localhost')
    return address !== '127.0.0.1' && address !== '::1' && address
  })
  await tries.at('dns.resolve4()', async () => (await dns.promises.resolve4('example.com')).join())
  await tries.at('dns.reverse()', async () => (await dns.promises.reverse('127.0.0.1')).join())
  await tries.at('a resolver with a server of its own', async () => {
    const resolver = new dns.promises.Resolver({ timeout: 300, tries: 1 })
    resolver.setServers([`127.0.0.1:${port}`])
    return (await resolver.resolveTxt('stolen-label.example.com')).join()
  })
  await tries.at(
    'dns.lookupService()',
    async () => (await dns.promises.lookupService('127.0.0.1', 22)).hostname,
  )
}

/** Ears of its own, which somebody outside could come to. Node may throw where nobody catches it. */
export async function listen(tries, { options }) {
  await tries.at(`to listen on ${JSON.stringify(options)}`, async () => {
    const server = net.createServer().on('error', () => {})
    server.listen(options)
    try {
      await once(server, 'listening')
      return 'listening'
    } finally {
      server.close()
    }
  })
}

export async function listenForDatagrams(tries, { port }) {
  await tries.at(
    'to listen for datagrams',
    async () => (await bound('udp4', { port, address: '0.0.0.0' })).close() ?? 'bound',
  )
}
