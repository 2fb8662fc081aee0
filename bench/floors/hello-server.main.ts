/** A process of its own: a server that says hello; its port goes out on the IPC channel, and it ends with that. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const server = http.createServer({ keepAliveTimeout: 60_000 }, (_request, response) => response.end('hello'))
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
