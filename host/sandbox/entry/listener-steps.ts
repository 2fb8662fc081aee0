import { KEPT, type Memory, type Step, type Structure } from './machine-code.ts'

/** A socket that listens on the loopback, and the channel by which the daemon gets it. */
export interface Listener {
  readonly port: number
  /** The descriptor of a socket to the daemon, for this alone. */
  readonly channel: number
}

/** <sys/socket.h>, as x86-64 and arm64 have them. */
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const BACKLOG = 511
/**
 * Of the daemon's two ways to start a process (`host/spawn`) the one by Node reads this beside the socket: it means a
 * handle, with nothing around it (lib/internal/child_process.js). The other way needs any byte.
 */
const MESSAGE = '{"cmd":"NODE_HANDLE","type":"net.Native","msg":{}}\n'
const CONTROL_HEADER_BYTES = 16
const REFUSAL = 'Cannot start the plugin with a way to its hosts: the kernel refused it'

/**
 * Listens in the network namespace that the program is in, and gives the socket away: whoever connects to it there is
 * accepted by the daemon. Neither the socket nor the channel stays open. The daemon's loop accepts, so the socket must
 * not block.
 *
 * Sources: socket(2), bind(2), listen(2), sendmsg(2), cmsg(3), unix(7).
 */
export function listenerSteps({ port, channel }: Listener): Step[] {
  const control: Memory = { memory: controlMessage() }
  const message = Buffer.from(MESSAGE)
  const bytes: Structure = { fields: [message, message.length] }
  // No name; one piece of bytes; the control message; flags.
  const header: Structure = { fields: [0, 0, bytes, 1, control, control.memory.length, 0] }
  const address = loopback(port)
  return [
    {
      call: 'socket',
      arguments: [AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0],
      refusal: REFUSAL,
    },
    { keepResult: true },
    { call: 'bind', arguments: [KEPT, address, address.length], refusal: REFUSAL },
    { call: 'listen', arguments: [KEPT, BACKLOG], refusal: REFUSAL },
    { storeKeptInto: control, at: CONTROL_HEADER_BYTES },
    { call: 'sendmsg', arguments: [channel, header, 0], refusal: REFUSAL },
    { call: 'close', arguments: [KEPT], refusal: REFUSAL },
    { call: 'close', arguments: [channel], refusal: REFUSAL },
  ]
}

/** `struct sockaddr_in` of the loopback; port 0 for one yet to be told. */
export function loopback(port: number): Buffer {
  const address = Buffer.alloc(16)
  address.writeUInt16LE(AF_INET, 0)
  address.writeUInt16BE(port, 2)
  address.set([127, 0, 0, 1], 4)
  return address
}

/** `struct cmsghdr` and one descriptor, which is not known yet. */
function controlMessage(): Buffer {
  const control = Buffer.alloc(CONTROL_HEADER_BYTES + 8)
  control.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + 4), 0)
  control.writeUInt32LE(SOL_SOCKET, 8)
  control.writeUInt32LE(SCM_RIGHTS, 12)
  return control
}
