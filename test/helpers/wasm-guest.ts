/** A host of "phantom-wasm v1" that is just large enough to ask a guest: no limits, no grants, no sandbox. */
import { expect } from 'chai'

interface GuestError {
  readonly code: number
  readonly message: string
  readonly data: { readonly name: string; readonly details?: Record<string, unknown> }
}

export interface GuestAnswer {
  readonly result?: unknown
  readonly error?: GuestError
  /** What travelled behind the line. */
  readonly payload: string | null
}

/** What a guest asks of its host: a result with bytes behind it, or an error. */
export type HostCall = (
  params: Record<string, unknown>,
  payload: Buffer,
) => { result?: unknown; payload?: Buffer; error?: GuestError }

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly phantom_abi_version: () => number
  readonly phantom_alloc: (length: number) => number
  readonly phantom_free: (pointer: number, length: number) => void
  readonly phantom_handle: (pointer: number, length: number) => bigint
  readonly _initialize?: () => void
}

/** TypeScript has this only among the types of the DOM. */
const { WebAssembly: webAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (code: Buffer) => object
    Instance: new (module: object, imports: object) => { exports: unknown }
  }
}

export class WasmGuest {
  /** Of each host call the method and params, in order. */
  readonly asked: { method: string; params: Record<string, unknown> }[] = []
  /** What it wrote to stderr. */
  printed = ''
  readonly #exports: Exports
  readonly #calls: Readonly<Record<string, HostCall>>
  #requests = 0

  constructor(
    code: Buffer,
    calls: Readonly<Record<string, HostCall>> = {},
    variables: readonly string[] = [],
  ) {
    this.#calls = calls
    const imports = {
      'phantom:host/v1': { call: (pointer: number, length: number) => this.#answer(pointer, length) },
      wasi_snapshot_preview1: {
        environ_sizes_get: (count: number, bytes: number) => this.#writeSizes(variables, { count, bytes }),
        fd_write: (...[fd, ranges, count, written]: number[]) =>
          this.#print(fd!, { ranges: ranges!, count: count!, written: written! }),
        environ_get: (pointers: number, texts: number) =>
          this.#writeVariables(variables, { pointers, texts }),
      },
    }
    const instance = new webAssembly.Instance(new webAssembly.Module(code), imports)
    this.#exports = instance.exports as Exports
    this.#exports._initialize?.()
    expect(this.#exports.phantom_abi_version()).to.equal(1)
  }

  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength
  }

  request(method: string, params: object, payload: string | Buffer | null = null): GuestAnswer {
    const id = (this.#requests += 1)
    const bytes = payload === null ? null : Buffer.from(payload)
    const frame = toFrame({ jsonrpc: '2.0', id, method, params }, bytes)
    const { message, payload: answered } = readFrame(this.#handle(frame))
    expect(message['id']).to.equal(id)
    return { ...(message as object), payload: answered === null ? null : answered.toString() }
  }

  initialize(params: object = {}): GuestAnswer {
    return this.request('initialize', {
      protocol_version: '1.2',
      plugin_id: 'guest',
      plugin_version: '1.2.3',
      generation: 1,
      execution_id_prefix: 'run-',
      workspace: '/workspace',
      data_dir: '/data',
      config: {},
      log_level: 'info',
      operations: [],
      metadata: { id: 'guest', name: 'Guest', version: '1.2.3', description: '', author: '' },
      ...params,
    })
  }

  /** The result of an operation, as JSON; throws where it answers an error. */
  execute(operation: string, input: unknown = null): unknown {
    const { error, payload } = this.request(
      'execute',
      { operation, timeout_ms: 30_000 },
      JSON.stringify(input),
    )
    if (error !== undefined) throw new Error(`${error.data.name}: ${error.message}`)
    return JSON.parse(payload ?? 'null')
  }

  #handle(frame: Buffer): Buffer {
    const pointer = this.#put(frame)
    const range = this.#exports.phantom_handle(pointer, frame.length)
    this.#exports.phantom_free(pointer, frame.length)
    const [at, length] = rangeOf(range)
    const answer = this.#take(at, length)
    this.#exports.phantom_free(at, length)
    return answer
  }

  #answer(pointer: number, length: number): bigint {
    const { message, payload } = readFrame(this.#take(pointer, length))
    const { id, method, params } = message as { id: number; method: string; params: Record<string, unknown> }
    this.asked.push({ method, params })
    const {
      result = null,
      payload: bytes = null,
      error,
    } = this.#calls[method]?.(params, payload ?? Buffer.alloc(0)) ?? {}
    const answer = error === undefined ? { jsonrpc: '2.0', id, result } : { jsonrpc: '2.0', id, error }
    const frame = toFrame(answer, bytes)
    return (BigInt(this.#put(frame)) << 32n) | BigInt(frame.length)
  }

  #put(bytes: Buffer): number {
    const pointer = this.#exports.phantom_alloc(bytes.length) >>> 0
    expect(pointer, 'phantom_alloc').to.be.greaterThan(0)
    Buffer.from(this.#exports.memory.buffer).set(bytes, pointer)
    return pointer
  }

  #take(pointer: number, length: number): Buffer {
    return Buffer.from(Buffer.from(this.#exports.memory.buffer, pointer, length))
  }

  #writeSizes(variables: readonly string[], at: { count: number; bytes: number }): number {
    const view = new DataView(this.#exports.memory.buffer)
    view.setUint32(at.count, variables.length, true)
    view.setUint32(at.bytes, Buffer.byteLength(variables.map((pair) => `${pair}\0`).join('')), true)
    return 0
  }

  #print(descriptor: number, at: { ranges: number; count: number; written: number }): number {
    expect(descriptor).to.equal(2)
    const view = new DataView(this.#exports.memory.buffer)
    const before = this.printed.length
    for (let i = at.ranges; i < at.ranges + at.count * 8; i += 8) {
      this.printed += this.#take(view.getUint32(i, true), view.getUint32(i + 4, true)).toString()
    }
    view.setUint32(at.written, this.printed.length - before, true)
    return 0
  }

  #writeVariables(variables: readonly string[], at: { pointers: number; texts: number }): number {
    const memory = Buffer.from(this.#exports.memory.buffer)
    let { pointers, texts } = at
    for (const pair of variables) {
      memory.writeUInt32LE(texts, pointers)
      texts += memory.write(`${pair}\0`, texts)
      pointers += 4
    }
    return 0
  }
}

function toFrame(message: object, payload: Buffer | null): Buffer {
  const line = JSON.stringify(payload === null ? message : { ...message, payload_bytes: payload.length })
  return Buffer.concat([Buffer.from(`${line}\n`), payload ?? Buffer.alloc(0)])
}

function readFrame(frame: Buffer): { message: Record<string, unknown>; payload: Buffer | null } {
  const end = frame.indexOf(0x0a)
  expect(end, 'the newline of a frame').to.be.greaterThan(0)
  const message = JSON.parse(frame.toString('utf8', 0, end)) as Record<string, unknown>
  const bytes = message['payload_bytes']
  expect(frame.length - end - 1, 'payload_bytes').to.equal(bytes ?? 0)
  return { message, payload: bytes === undefined ? null : frame.subarray(end + 1) }
}

function rangeOf(range: bigint): [pointer: number, length: number] {
  const unsigned = BigInt.asUintN(64, range)
  return [Number(unsigned >> 32n), Number(unsigned & 0xffffffffn)]
}
