import { GuestFrameReader, quoted, type GuestFrame, type GuestRange, type ReadFrame } from './guest-frame.ts'
import { HOST_MODULE, WASI_MODULE } from '../../src/contract/wasm/abi.ts'
import type { CompiledModule } from './compile-module.ts'
import { GuestMemory } from './guest-memory.ts'
import type { Wasi } from './wasi/create-wasi.ts'
import { GuestOutOfMemory, GuestViolation } from './guest-violation.ts'

/** See docs/wasm-abi.md. */
const ABI_VERSION = 1
/** Imports whose answer may come later. */
const WAITING = [`${HOST_MODULE}.call`, `${WASI_MODULE}.poll_oneoff`]

/** Answers what a plugin asks of its host; at once, or when it is there. */
export type AnswerHostCall = (request: ReadFrame) => GuestFrame | Promise<GuestFrame>

/** What a module finds beside its host. */
export type GuestSystem = Pick<Wasi, 'imports' | 'bind' | 'ended'>

export interface GuestHost {
  readonly answerHostCall: AnswerHostCall
  readonly system: GuestSystem
  /** Of an answer; a larger one is not copied. */
  readonly maxPayloadBytes: number
}

interface GuestExports {
  readonly memory: WebAssembly.Memory
  readonly phantom_abi_version: () => number
  readonly phantom_alloc: (length: number) => number
  readonly phantom_free: (address: number, length: number) => void
  readonly phantom_handle: (address: number, length: number) => bigint
  readonly _initialize?: () => void
}

type Handle = (address: number, length: number) => bigint | Promise<bigint>

/**
 * One instance of a plugin's module: frames in, frames out, by phantom-wasm v1. Takes one at a time. What it throws
 * (a trap, a violation) leaves it in no state to go on with.
 */
export class GuestInstance {
  readonly memory: GuestMemory
  readonly #exports: GuestExports
  readonly #handle: Handle
  readonly #answerHostCall: AnswerHostCall
  readonly #system: GuestSystem
  readonly #answers: GuestFrameReader
  readonly #requests = new GuestFrameReader()
  /** Whether its `phantom_handle` runs and is not waiting for its host. */
  #isRunning = false
  /** What it threw past code of the plugin's that may have swallowed it. */
  #broken: Error | null = null

  /** @throws whatever the module's own start throws, and GuestViolation */
  constructor({ module, facts }: CompiledModule, { answerHostCall, system, maxPayloadBytes }: GuestHost) {
    this.#answerHostCall = answerHostCall
    this.#answers = new GuestFrameReader(maxPayloadBytes)
    this.#system = system
    const call = new WebAssembly.Suspending((address: number, length: number) =>
      this.#hostCall(address >>> 0, length >>> 0),
    )
    const instance = new WebAssembly.Instance(module, { ...system.imports, [HOST_MODULE]: { call } })
    this.#exports = instance.exports as unknown as GuestExports
    this.memory = new GuestMemory(this.#exports.memory, facts.memory.max)
    system.bind(this.#exports.memory)
    const mayWait = WAITING.some((name) => facts.imports.includes(name))
    // A module that asks nothing of its host is spared the change of stacks, 0.7 µs.
    this.#handle = mayWait
      ? (WebAssembly.promising(this.#exports.phantom_handle) as Handle)
      : this.#exports.phantom_handle
  }

  /** Runs what must run before all else. @throws a trap, or GuestViolation */
  begin(): void {
    this.#exports._initialize?.()
    const version = this.#exports.phantom_abi_version()
    this.#rethrow()
    if (version === ABI_VERSION) return
    throw new GuestViolation(
      `it speaks phantom-wasm version ${quoted(version)}, this loader version ${ABI_VERSION}. Build it with the SDK of this version`,
    )
  }

  /** Passes a request; its answer is a copy. */
  handle(request: GuestFrame): ReadFrame | Promise<ReadFrame> {
    const length = request.byteLength
    const address = this.#give(request)
    this.#isRunning = true
    const packed = this.#handle(address, length)
    if (typeof packed === 'bigint') return this.#take(packed, address, length)
    return packed.then((late) => this.#take(late, address, length))
  }

  #take(packed: bigint, requestAddress: number, requestLength: number): ReadFrame {
    this.#isRunning = false
    this.#rethrow()
    const range = unpack(packed)
    if (range.length === 0) throw new GuestViolation('its answer is empty')
    const answer = this.#read(this.#answers, range, 'its answer')
    this.#exports.phantom_free(range.address, range.length)
    this.#exports.phantom_free(requestAddress, requestLength)
    this.#rethrow()
    return answer
  }

  /** What was thrown inside, and caught there, still ends the call. */
  #rethrow(): void {
    const broken = this.#broken ?? this.#system.ended
    if (broken !== null) throw broken
  }

  /** The address of a frame that was written into the plugin's memory. */
  #give(frame: GuestFrame): number {
    const length = frame.byteLength
    const address = this.#exports.phantom_alloc(length) >>> 0
    if (address === 0) throw new GuestOutOfMemory(`its phantom_alloc gave no room for ${length} bytes`)
    frame.write(this.memory.holding(address, length, 'what its phantom_alloc gave'), address)
    return address
  }

  #read(reader: GuestFrameReader, range: GuestRange, what: string): ReadFrame {
    return reader.read(this.memory.holding(range.address, range.length, what), range, what)
  }

  #hostCall(address: number, length: number): bigint | Promise<bigint> {
    try {
      if (!this.#isRunning) throw new GuestViolation('it called its host outside of phantom_handle')
      const request = this.#read(this.#requests, { address, length }, 'its host call')
      this.#isRunning = false
      const answer = this.#answerHostCall(request)
      if (!(answer instanceof Promise)) return this.#reply(answer)
      return answer.then((late) => this.#reply(late)).catch((error: unknown) => this.#break(error))
    } catch (error) {
      return this.#break(error)
    }
  }

  #reply(answer: GuestFrame): bigint {
    const packed = pack(this.#giveOrNothing(answer), answer.byteLength)
    this.#isRunning = true
    return packed
  }

  /** The plugin learns by a 0 that it had no room. */
  #giveOrNothing(answer: GuestFrame): number {
    try {
      return this.#give(answer)
    } catch (error) {
      if (error instanceof GuestOutOfMemory) return 0
      throw error
    }
  }

  #break(error: unknown): never {
    this.#broken ??=
      error instanceof Error ? error : new GuestViolation('it threw in the middle of a host call')
    throw this.#broken
  }
}

function pack(address: number, length: number): bigint {
  return address === 0 ? 0n : (BigInt(address) << 32n) | BigInt(length)
}

/** A third of the time that shifts of a BigInt take. */
const unpacked = new DataView(new ArrayBuffer(8))

function unpack(packed: bigint): GuestRange {
  unpacked.setBigInt64(0, packed)
  return { address: unpacked.getUint32(0), length: unpacked.getUint32(4) }
}
