import { loopback } from './listener-steps.ts'
import {
  type Argument,
  type CallName,
  KEPT,
  type Memory,
  type Step,
  type SystemCall,
  zeroEnded,
} from './machine-code.ts'

/** What is tried in the place of the program that is executed then; see `RunnerParams['attest']`. */
export interface Gate {
  /** A file that no runner may ever read. */
  readonly read: string
  /** A process outside of the sandbox; null where that is not tried. */
  readonly signal: number | null
  /** Whether making a process must fail. */
  readonly start: boolean
  /** For a program that does not answer `attest` itself: it runs only when the daemon sends the next message. */
  readonly waits: boolean
}

/** The channel to the daemon, a socket. */
const CHANNEL = 3
/** <fcntl.h>, <sys/socket.h>, <signal.h>, as x86-64 and arm64 have them. */
const AT_FDCWD = -100
const O_CLOEXEC = 0o2000000
const AF_INET = 2
const SOCK_STREAM = 1
const MSG_PEEK = 2
const SIGCHLD = 17

const GONE = 'Cannot start the plugin: the daemon is gone'
const COPIED = 'Cannot start the plugin: it could make a process'
const NO_ANSWER = '000'

/**
 * Answers `attest` by calls of its own, with all walls up: what refuses them is the kernel. Then, at a gate, it waits until
 * the daemon sends the next message, and leaves that to the program which is executed then. So a program that knows
 * nothing of `attest` runs only when the daemon has seen what holds it.
 *
 * Sources: openat(2), kill(2), socket(2), connect(2), clone(2), recv(2) MSG_PEEK.
 */
export function gateSteps({ read, signal, start, waits }: Gate): Step[] {
  const tried = (isTried: boolean): string => (isTried ? `"${NO_ANSWER}"` : 'null')
  // The first message of a connection has the id 1.
  const text =
    `{"jsonrpc":"2.0","id":1,"result":{"read":${tried(true)},"signal":${tried(signal !== null)},` +
    `"start":${tried(start)},"connect":${tried(true)}}}\n`
  const answer: Memory = { memory: Buffer.from(text) }
  const report = (name: keyof Gate | 'connect'): Step => {
    const before = `"${name}":"`
    return { reportInto: answer, at: text.indexOf(before) + before.length }
  }
  const byte: Memory = { memory: Buffer.alloc(1) }
  const address: Memory = { memory: loopback(0) }
  return [
    { readLineFrom: CHANNEL, byteInto: byte, refusal: GONE },
    attempt('openat', [AT_FDCWD, zeroEnded(read), O_CLOEXEC, 0]),
    report('read'),
    ...(signal === null ? [] : [attempt('kill', [signal, 0]), report('signal')]),
    // Of two processes the new one has the result zero.
    ...(start ? [{ ...attempt('clone', [SIGCHLD, 0, 0, 0, 0]), endsAtZero: COPIED }, report('start')] : []),
    { storePortInto: address, at: 2 },
    attempt('socket', [AF_INET, SOCK_STREAM, 0]),
    report('connect'),
    {
      unlessRefused: [
        { keepResult: true },
        attempt('connect', [KEPT, address, address.memory.length]),
        report('connect'),
        attempt('close', [KEPT]),
      ],
    },
    { call: 'write', arguments: [CHANNEL, answer, answer.memory.length], refusal: GONE },
    ...(waits ? [waitForMessage(byte)] : []),
  ]
}

/** Without reading it; the end of the channel is a result of zero. */
function waitForMessage(byte: Memory): SystemCall {
  const values = [CHANNEL, byte, 1, MSG_PEEK, 0]
  return { call: 'recvfrom', arguments: values, refusal: GONE, endsAtZero: GONE }
}

/** Its refusal is what is wanted. */
function attempt(call: CallName, values: readonly Argument[]): SystemCall {
  return { call, arguments: values, refusal: null }
}
