import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import type { Socket } from 'node:net'

/** Relative to the folder both processes run in: an absolute one may pass the kernel's 107 bytes. */
const SOCKET_PATH = 'hop.sock'
const EXIT_GRACE_MS = 2_000

export interface TwoHop {
  /** The client's end of the first hop. */
  readonly socket: Socket
  readonly daemonPid: number
  readonly lost: Promise<never>
  close(): Promise<void>
}

/** Client's side: starts the process in the middle, which starts `runnerEntry`, and connects to it. */
export async function startTwoHop(daemonEntry: URL, runnerEntry: URL): Promise<TwoHop> {
  const daemon = spawn(process.execPath, [daemonEntry.pathname, runnerEntry.pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lost = lossOf(daemon)
  await Promise.race([once(daemon.stdout, 'data'), lost])
  const socket = net.connect(SOCKET_PATH)
  await once(socket, 'connect')
  return { socket, daemonPid: daemon.pid ?? 0, lost, close: () => close(daemon, socket) }
}

/**
 * Daemon's side: one client on the unix socket, one child on a socketpair (a 'pipe' of Node is one) as fd 3.
 * Ends with its client or its child, and when its starter, which holds the other end of stdin, is gone.
 */
export function joinTwoHop(join: (client: Socket, runner: Socket) => void): void {
  const runner = spawn(process.execPath, [process.argv[2] ?? ''], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  const server = net.createServer((client) => {
    client.on('error', () => process.exit(1)).on('close', () => process.exit())
    join(client, runner.stdio[3] as Socket)
  })
  runner.on('exit', () => process.exit(1))
  process.stdin.on('end', () => process.exit()).resume()
  server.listen(SOCKET_PATH, () => process.stdout.write('listening\n'))
}

/** Runner's side: ends when the daemon closes it, or dies. */
export function runnerSocket(): Socket {
  return new net.Socket({ fd: 3, readable: true, writable: true }).on('error', () => process.exit(1))
}

async function lossOf(daemon: ChildProcess): Promise<never> {
  const [code, signal] = await once(daemon, 'exit')
  throw new Error(`the process in the middle ended (${code ?? signal})`)
}

async function close(daemon: ChildProcess, socket: Socket): Promise<void> {
  socket.destroy()
  if (daemon.exitCode !== null || daemon.signalCode !== null) return
  const grace = setTimeout(() => daemon.kill('SIGKILL'), EXIT_GRACE_MS)
  await once(daemon, 'exit')
  clearTimeout(grace)
}
