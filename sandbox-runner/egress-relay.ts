import { connect, createServer, type Socket } from 'node:net'

/**
 * Where the plugin has a right to the network, carries what comes to the proxy's place in this network namespace to
 * the daemon's proxy, byte for byte. Nothing is decided here: this process is the plugin's own.
 */
export async function openEgress(): Promise<void> {
  const { PHANTOM_EGRESS: path, HTTP_PROXY: proxy } = process.env
  delete process.env['PHANTOM_EGRESS']
  if (path === undefined || proxy === undefined) return
  const { hostname, port } = new URL(proxy)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const daemon = connect({ path, allowHalfOpen: true })
    carry(client, daemon)
    carry(daemon, client)
  })
  server.unref()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(port), hostname, resolve)
  })
}

function carry(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroySoon())
}
