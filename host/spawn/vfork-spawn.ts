import fs from 'node:fs'
import { Socket } from 'node:net'
import { CStrings } from '../libc/c-strings.ts'
import { loadLibc, type Signature } from '../libc/load-libc.ts'
import { INBOX_SIGNATURES, ListenerInbox } from './listener-inbox.ts'
import { Reaper } from './reaper.ts'
import type { ProcessEnd, ProcessRequest, StartedProcess } from './started-process.ts'

const int = (...types: Signature['arguments']): Signature => ({ arguments: types, return: 'i32' })

const SIGNATURES = {
  ...INBOX_SIGNATURES,
  socketpair: int('i32', 'i32', 'i32', 'buffer'),
  fcntl: int('i32', 'i32', 'i32'),
  posix_spawn: int('buffer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer'),
  posix_spawn_file_actions_init: int('buffer'),
  posix_spawn_file_actions_addopen: int('buffer', 'i32', 'buffer', 'i32', 'i32'),
  posix_spawn_file_actions_adddup2: int('buffer', 'i32', 'i32'),
  posix_spawn_file_actions_addchdir_np: int('buffer', 'buffer'),
  posix_spawn_file_actions_destroy: int('buffer'),
  posix_spawnattr_init: int('buffer'),
  posix_spawnattr_setflags: int('buffer', 'i32'),
  posix_spawnattr_setsigdefault: int('buffer', 'buffer'),
  posix_spawnattr_setsigmask: int('buffer', 'buffer'),
  waitpid: int('i32', 'buffer', 'i32'),
}
type Libc = NonNullable<ReturnType<typeof loadLibc<keyof typeof SIGNATURES>>>

/** <sys/socket.h>, <fcntl.h>, <spawn.h>, <sys/wait.h>: the same on x86-64 and arm64, glibc and musl. */
const AF_UNIX = 1
const SOCK_STREAM_CLOEXEC = 0o2000001
const F_DUPFD_CLOEXEC = 1030
const SETSIGDEF_AND_SETSIGMASK = 0x4 | 0x8
const WNOHANG = 1
/** `posix_spawn_file_actions_t` has 80 bytes and `posix_spawnattr_t` 336 in both; `sigset_t` 128. */
const STRUCT_BYTES = 1024
const SIGSET_BYTES = 128

/**
 * Starts processes by posix_spawn(3), whose child borrows the daemon's memory until it executes its program: 0.1 ms
 * however large the daemon is, where Node's fork takes 2.7 ms at 60 MiB and 6 at 150, in which no call is answered.
 */
export class VforkSpawn {
  readonly #libc: Libc
  readonly #reaper: Reaper

  /** Null where the C library can't be called, see `loadLibc`. */
  static load(): VforkSpawn | null {
    const libc = loadLibc(SIGNATURES)
    return libc === null ? null : new VforkSpawn(libc)
  }

  private constructor(libc: Libc) {
    this.#libc = libc
    this.#reaper = new Reaper((pid, status) => libc.waitpid(pid, asBytes(status), WNOHANG))
  }

  /** Null where the system gave no process or descriptor: what it was, who asks by another way is told. */
  start(request: ProcessRequest): StartedProcess | null {
    const pairs: SocketPair[] = []
    // Above all that the child gets, so that giving it one overwrites no other.
    const passing = request.passesListener ? 1 : 0
    const lowest = 1 + request.channels + request.inherited.length + passing
    const lifted: number[] = []
    try {
      for (let count = 0; count < request.channels + passing; count += 1) pairs.push(this.#openPair())
      const theirs = pairs.map((pair) => pair.theirs)
      const [channels, last] = [theirs.slice(0, request.channels), theirs.slice(request.channels)]
      for (const descriptor of [...channels, ...request.inherited, ...last])
        lifted.push(this.#lift(descriptor, lowest))
      const pid = this.#spawn(request, lifted)
      return this.#started(pid, request, pairs.splice(0))
    } catch (error) {
      if (error instanceof NoResource) return null
      throw error
    } finally {
      for (const { ours, theirs } of pairs) for (const descriptor of [ours, theirs]) fs.closeSync(descriptor)
      for (const descriptor of lifted) fs.closeSync(descriptor)
    }
  }

  #openPair(): SocketPair {
    const pair = new Int32Array(new ArrayBuffer(8))
    const result = this.#libc.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, asBytes(pair))
    if (result !== 0) throw new NoResource('socketpair')
    return { ours: pair[0] ?? -1, theirs: pair[1] ?? -1 }
  }

  #lift(descriptor: number, lowest: number): number {
    const lifted = this.#libc.fcntl(descriptor, F_DUPFD_CLOEXEC, lowest)
    if (lifted < 0) throw new NoResource('fcntl')
    return lifted
  }

  #spawn({ file, args, cwd, env }: ProcessRequest, descriptors: readonly number[]): number {
    const libc = this.#libc
    const actions = zeros(STRUCT_BYTES)
    const attributes = zeros(STRUCT_BYTES)
    const pid = new Int32Array(new ArrayBuffer(4))
    const argv = new CStrings([file, ...args])
    const environment = new CStrings(Object.entries(env).map(([name, value]) => `${name}=${value}`))
    const [path, folder, nowhere] = [file, cwd, '/dev/null'].map(
      (text) => new Uint8Array(new CStrings([text]).texts),
    ) as [Uint8Array, Uint8Array, Uint8Array]
    const results = [
      libc.posix_spawn_file_actions_init(actions),
      libc.posix_spawn_file_actions_addopen(actions, 0, nowhere, fs.constants.O_RDONLY, 0),
      ...descriptors.map((from, at) => libc.posix_spawn_file_actions_adddup2(actions, from, at + 1)),
      libc.posix_spawn_file_actions_addchdir_np(actions, folder),
      libc.posix_spawnattr_init(attributes),
      // Node ignores SIGPIPE, for one, and what is ignored stays so in a new program.
      libc.posix_spawnattr_setsigdefault(attributes, zeros(SIGSET_BYTES).fill(0xff)),
      libc.posix_spawnattr_setsigmask(attributes, zeros(SIGSET_BYTES)),
      libc.posix_spawnattr_setflags(attributes, SETSIGDEF_AND_SETSIGMASK),
    ]
    const isReady = results.every((result) => result === 0)
    const failed =
      !isReady ||
      libc.posix_spawn(asBytes(pid), path, actions, attributes, argv.pointers, environment.pointers) !== 0
    libc.posix_spawn_file_actions_destroy(actions)
    if (failed) throw new NoResource('posix_spawn')
    return pid[0] ?? -1
  }

  #started(pid: number, request: ProcessRequest, pairs: readonly SocketPair[]): StartedProcess {
    for (const { theirs } of pairs) fs.closeSync(theirs)
    const passing = pairs[request.channels]
    const inbox = passing === undefined ? null : new ListenerInbox(this.#libc, passing.ours)
    const channels = pairs
      .slice(0, request.channels)
      .map(({ ours }) => new Socket({ fd: ours, readable: true, writable: true }))
    let end: ProcessEnd | null = null
    const exited = new Promise<ProcessEnd>((resolve) => {
      this.#reaper.watch(pid, (found) => {
        inbox?.close()
        // As Node does: what nobody reads closes when all is read.
        for (const channel of channels) if (channel.readableFlowing === null) channel.resume()
        resolve((end = found))
      })
    })
    return {
      pid,
      channels,
      takeListener: () => Promise.resolve(inbox?.take() ?? null),
      exited,
      get hasExited() {
        return end !== null
      },
      kill: (signal) => {
        if (end !== null) return
        try {
          // Until it was waited for its number is nobody else's.
          process.kill(pid, signal)
        } catch {
          // EPERM: it is another user's by now, and a root daemon without CAP_KILL may not. Node says nothing either.
        }
      },
    }
  }
}

interface SocketPair {
  readonly ours: number
  readonly theirs: number
}

class NoResource extends Error {}

/** Outside of V8's heap, whose collector moves small ones. */
function zeros(bytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(bytes))
}

function asBytes(numbers: Int32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
}
