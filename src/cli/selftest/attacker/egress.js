import dgram from 'node:dgram'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'

/** By the two clients that everybody uses; the proxy is theirs, unasked. */
export async function requests(tries, { granted, isGranted, urls }) {
  if (isGranted)
    await tries.control(`fetch of ${granted}`, async () => taken(await (await fetch(granted)).text()))
  if (isGranted) await tries.control(`http.get of ${granted}`, async () => taken(await get(granted)))
  for (const url of urls) {
    await tries.at(`fetch of ${url}`, async () => {
      const response = await fetch(url)
      const body = await response.text()
      return response.status === 403 ? null : taken(body) || `status ${response.status}`
    })
    await tries.at(`http.get of ${url}`, async () => taken(await get(url)))
  }
}

const taken = (text) => /SECRET-\w+|given-\w+/.exec(text)?.[0]

function get(url) {
  return new Promise((resolve, reject) => {
    http
      .get(url, (response) => response.toArray().then((all) => resolve(Buffer.concat(all).toString())))
      .on('error', reject)
  })
}

/** Bytes to the proxy that no client would send. */
export async function smuggled(tries, { granted, isGranted, texts }) {
  if (isGranted)
    await tries.control('a request by hand', async () =>
      taken(
        await say(`GET ${granted} HTTP/1.1\r\nHost: ${new URL(granted).host}\r\nConnection: close\r\n\r\n`),
      ),
    )
  for (const text of texts)
    await tries.at(JSON.stringify(text.slice(0, 120)), async () => /SECRET-\w+/.exec(await say(text))?.[0])
}

function say(text) {
  const { hostname, port } = new URL(process.env.HTTP_PROXY)
  return new Promise((resolve, reject) => {
    let heard = ''
    const socket = net.connect({ host: hostname, port: Number(port) })
    const end = () => (socket.destroy(), resolve(heard))
    socket.setTimeout(250, end)
    socket.on('data', (data) => (heard += data.toString('latin1')))
    socket.on('error', reject).on('close', end)
    socket.write(Buffer.from(text, 'latin1'))
  })
}

/** Past the proxy. */
export async function direct(tries, { targets, udpPort }) {
  for (const target of targets)
    await tries.at(`a connection to ${JSON.stringify(target)}`, () => {
      const socket = net.connect(target)
      return new Promise((resolve, reject) => {
        socket.setTimeout(250, () => reject(new Error('no answer')))
        socket.once('connect', () => resolve('connected')).once('error', reject)
      }).finally(() => socket.destroy())
    })
  await tries.at('a datagram to the host', async () => {
    const socket = dgram.createSocket('udp4').on('error', () => {})
    await new Promise((resolve, reject) =>
      socket.send('x', udpPort, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    )
    socket.close()
    return null // Whether it arrived, the host knows.
  })
  await tries.at('interfaces beside the loopback', () => {
    const lines = fs.readFileSync('/proc/self/net/dev', 'latin1').split('\n').slice(2)
    return lines
      .map((line) => line.split(':')[0].trim())
      .filter(
        (name) =>
          ![
            '',
            'lo',
            'tunl0',
            'gre0',
            'gretap0',
            'erspan0',
            'ip_vti0',
            'ip6_vti0',
            'sit0',
            'ip6tnl0',
            'ip6gre0',
          ].includes(name),
      )
      .join()
  })
}

/** Sockets of other plugins' proxies. */
export async function otherDoors(tries, { folders }) {
  for (const folder of folders)
    await tries.at(`sockets in ${folder}`, () =>
      fs
        .readdirSync(folder)
        .filter((name) => name.endsWith('.sock'))
        .join(),
    )
}

/** Connections to the proxy until there are no more descriptors. */
export async function crowd(tries, { most }) {
  const { hostname, port } = new URL(process.env.HTTP_PROXY ?? 'http://127.0.0.1:1')
  const sockets = []
  for (let at = 0; at < most; at += 1) {
    const socket = net.connect({ host: hostname, port: Number(port) })
    socket.on('error', () => {})
    socket.write('GET http://')
    sockets.push(socket)
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  const open = sockets.filter(({ readyState }) => readyState === 'open').length
  for (const socket of sockets) socket.destroy()
  await tries.at('connections at once', () => open >= most && `${open}`)
  tries.list.at(-1).error = `${open} at once`
}
