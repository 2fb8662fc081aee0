/** Stands in for a sandbox that passes its listener: passes what its argument says, says so, and waits for its end. */
import dgram from 'node:dgram'
import net from 'node:net'

const [, , what = ''] = process.argv
const channel = new net.Socket({ fd: 2 })
channel.resume().on('end', () => process.exit())

type Passed = net.Server | dgram.Socket | net.Socket | undefined

function pass(handle: Passed): void {
  process.send!({}, handle as net.Server, {}, done)
}

function done(): void {
  process.stdout.write(`${what}\n`)
}

switch (what) {
  case 'listener': {
    const server = net.createServer()
    server.listen(0, '127.0.0.1', () => pass(server))
    break
  }
  case 'datagrams': {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, '127.0.0.1', () => pass(socket))
    break
  }
  case 'file':
    pass(channel)
    break
  case 'words':
    pass(undefined)
    break
  case 'end':
    process.once('disconnect', done)
    process.disconnect?.()
    break
  default:
    done()
}
