import fs from 'node:fs'
import { addressOf, type loadLibc, type Signature } from '../libc/load-libc.ts'
import type { PassedListener } from './started-process.ts'

export const INBOX_SIGNATURES = {
  recvmsg: { arguments: ['i32', 'buffer', 'i32'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
} as const satisfies Readonly<Record<string, Signature>>
type Libc = NonNullable<ReturnType<typeof loadLibc<keyof typeof INBOX_SIGNATURES>>>

/** <sys/socket.h>: the same on x86-64 and arm64, glibc and musl. */
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const SO_TYPE = 3
const SO_ACCEPTCONN = 30
const SO_DOMAIN = 39
const AF_INET = 2
const SOCK_STREAM = 1
const MSG_CTRUNC = 0x8
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x4000_0000
const CONTROL_HEADER_BYTES = 16
const WORDS_BYTES = 256

/** Our end of a channel by which a process may pass one socket that listens. */
export class ListenerInbox {
  readonly #libc: Libc
  readonly #words = new ArrayBuffer(WORDS_BYTES)
  readonly #control = new ArrayBuffer(CONTROL_HEADER_BYTES + 8)
  /** `struct iovec` */
  readonly #piece = new BigUint64Array(2)
  /** `struct msghdr`: no name; one piece of bytes; the control message; flags. */
  readonly #header = new BigUint64Array(7)
  #channel: number | null

  /** @param channel its own to close */
  constructor(libc: Libc, channel: number) {
    this.#libc = libc
    this.#channel = channel
    this.#piece.set([addressOf(this.#words), BigInt(WORDS_BYTES)])
    // So long that there is room for one: in the padding behind it lies a second.
    const control = [addressOf(this.#control), BigInt(CONTROL_HEADER_BYTES + 4)]
    this.#header.set([0n, 0n, addressOf(this.#piece.buffer), 1n, ...control, 0n])
  }

  /** What was passed, once; null where nothing was yet, or anything else. The channel is closed. */
  take(): PassedListener | null {
    if (this.#channel === null) return null
    const descriptor = this.#receive(this.#channel)
    this.close()
    if (descriptor === null) return null
    if (this.#listens(descriptor))
      return { handle: { fd: descriptor }, close: () => fs.closeSync(descriptor) }
    fs.closeSync(descriptor)
    return null
  }

  close(): void {
    if (this.#channel !== null) fs.closeSync(this.#channel)
    this.#channel = null
  }

  /** One message with one descriptor: there is room for no more, so the kernel closes what else would come. */
  #receive(channel: number): number | null {
    const received = this.#libc.recvmsg(
      channel,
      new Uint8Array(this.#header.buffer),
      MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
    )
    if (received <= 0 || Number(this.#header[5]) < CONTROL_HEADER_BYTES + 4) return null
    const [, , level, type, descriptor = -1] = new Int32Array(this.#control)
    if (level !== SOL_SOCKET || type !== SCM_RIGHTS) return null
    if ((Number(this.#header[6]) & MSG_CTRUNC) === 0) return descriptor
    fs.closeSync(descriptor)
    return null
  }

  #listens(descriptor: number): boolean {
    const is = (option: number): number => this.#option(descriptor, option)
    return is(SO_DOMAIN) === AF_INET && is(SO_TYPE) === SOCK_STREAM && is(SO_ACCEPTCONN) === 1
  }

  #option(descriptor: number, option: number): number {
    const value = new Int32Array(new ArrayBuffer(4))
    const length = new Int32Array(new ArrayBuffer(4)).fill(4)
    const [valueBytes, lengthBytes] = [new Uint8Array(value.buffer), new Uint8Array(length.buffer)]
    const result = this.#libc.getsockopt(descriptor, SOL_SOCKET, option, valueBytes, lengthBytes)
    return result === 0 ? (value[0] ?? -1) : -1
  }
}
