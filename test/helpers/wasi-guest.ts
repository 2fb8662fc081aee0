import { ERRNO, type Errno } from '../../sandbox-runner/wasm/wasi/errno.ts'
import { createWasi, type Wasi, type WasiOptions } from '../../sandbox-runner/wasm/wasi/create-wasi.ts'

/** Rights, open flags and the like as `wasi-libc` passes them. */
const READ = (1n << 1n) | (1n << 14n)
const WRITE = 1n << 6n
const RESULT = 0
const VECTOR = 16
const TEXT = 1024
const DATA = 8192

interface OpenHow {
  readonly write?: boolean
  readonly create?: boolean
  readonly truncate?: boolean
  readonly folder?: boolean
  readonly append?: boolean
  /** The open folder that the path begins from. */
  readonly from?: number
}

/** Calls the functions of WASI as a module does that is made of nothing but a memory. */
export class WasiGuest {
  readonly memory = new WebAssembly.Memory({ initial: 2 })
  readonly denied: string[] = []
  readonly lines: string[] = []
  readonly wasi: Wasi
  readonly #functions: Readonly<Record<string, unknown>>

  constructor(options: Partial<WasiOptions> = {}) {
    this.wasi = createWasi({
      env: {},
      args: [],
      grants: [],
      workspace: '/nowhere',
      onLine: (stream, line) => this.lines.push(`${stream} ${line}`),
      onDenied: (permission, resource) => this.denied.push(`${permission} ${resource}`),
      sleep: () => Promise.reject(new Error('it slept')),
      ...options,
    })
    this.wasi.bind(this.memory)
    this.#functions = this.wasi.imports['wasi_snapshot_preview1'] ?? {}
  }

  call(name: string, ...args: readonly (number | bigint)[]): Errno {
    const run = this.#functions[name] as (...given: readonly (number | bigint)[]) => number
    const number = run(...args)
    const [word] = Object.entries(ERRNO).find(([, value]) => value === number) ?? [`unknown ${number}`]
    return word as Errno
  }

  /** Of the last call, where `RESULT` was given as its place. */
  result(): number {
    return this.view().getUint32(RESULT, true)
  }

  view(): DataView {
    return new DataView(this.memory.buffer)
  }

  bytes(address: number, length: number): Buffer {
    return Buffer.from(this.memory.buffer, address, length)
  }

  /** Puts a text into the memory: its address and length. */
  text(text: string | Uint8Array, at = TEXT): [address: number, length: number] {
    const bytes = Buffer.from(text)
    new Uint8Array(this.memory.buffer).set(bytes, at)
    return [at, bytes.length]
  }

  open(path: string, how: OpenHow = {}): { errno: Errno; fd: number } {
    const flags = (how.create ? 1 : 0) | (how.folder ? 2 : 0) | (how.truncate ? 8 : 0)
    const rights = how.write ? READ | WRITE : READ
    const errno = this.call(
      'path_open',
      how.from ?? 3,
      1,
      ...this.text(path),
      flags,
      rights,
      0n,
      how.append ? 1 : 0,
      RESULT,
    )
    return { errno, fd: this.result() }
  }

  /** A function of one path, below the root or an open folder. */
  at(name: string, path: string, from = 3): Errno {
    return this.call(name, from, ...this.text(path))
  }

  write(fd: number, data: string | Uint8Array): Errno {
    this.#vector(...this.text(data, DATA))
    return this.call('fd_write', fd, VECTOR, 1, RESULT)
  }

  read(fd: number, length = 4096): string {
    this.#vector(DATA, length)
    const errno = this.call('fd_read', fd, VECTOR, 1, RESULT)
    return errno === 'success' ? this.bytes(DATA, this.result()).toString() : errno
  }

  /** What is in a file, or the error that reading it ends with. */
  content(path: string, from = 3): string {
    const { errno, fd } = this.open(path, { from })
    if (errno !== 'success') return errno
    const text = this.read(fd)
    this.call('fd_close', fd)
    return text
  }

  /** Makes or replaces a file, or says why not. */
  put(path: string, data: string, from = 3): Errno {
    const { errno, fd } = this.open(path, { write: true, create: true, truncate: true, from })
    if (errno !== 'success') return errno
    const written = this.write(fd, data)
    this.call('fd_close', fd)
    return written
  }

  close(): void {
    this.wasi.close()
  }

  #vector(address: number, length: number): void {
    this.view().setUint32(VECTOR, address, true)
    this.view().setUint32(VECTOR + 4, length, true)
  }
}
