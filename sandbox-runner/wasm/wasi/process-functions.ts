import type { WasiMemory } from './wasi-memory.ts'
import { WasiError } from './errno.ts'

/** The module ended itself (`proc_exit`): it can't be called again. */
export class GuestExit extends Error {
  override readonly name = 'GuestExit'
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`The plugin called exit(${exitCode})`)
    this.exitCode = exitCode
  }
}

/** `getrandom(2)` and its like give so much at once. */
const MAX_RANDOM_BYTES = 65_536
const NS_PER_MS = 1_000_000n
const NS_PER_US = 1000n

const CLOCK = { realtime: 0, monotonic: 1, process: 2, thread: 3 } as const
const CLOCK_RESOLUTION_NS: Readonly<Record<number, bigint>> = {
  [CLOCK.realtime]: NS_PER_MS,
  [CLOCK.monotonic]: 1n,
  [CLOCK.process]: NS_PER_US,
  [CLOCK.thread]: NS_PER_US,
}

/** Of one of the module's clocks. @throws WasiError for one that there is not */
export function timeNs(clock: number): bigint {
  switch (clock) {
    case CLOCK.realtime:
      return BigInt(Date.now()) * NS_PER_MS
    case CLOCK.monotonic:
      return process.hrtime.bigint()
    // The module runs on one thread, beside which nothing of the process works.
    case CLOCK.process:
    case CLOCK.thread: {
      const { user, system } = process.cpuUsage()
      return BigInt(user + system) * NS_PER_US
    }
    default:
      throw new WasiError('inval')
  }
}

/** Arguments, variables, clocks, chance and the end. */
export function processFunctions(
  memory: WasiMemory,
  { args, env }: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> },
) {
  const listedArgs = listOf(args)
  const listedEnv = listOf(Object.entries(env).map(([name, value]) => `${name}=${value}`))
  return {
    args_get: (addresses: number, texts: number) => listedArgs.put(memory, addresses, texts),
    args_sizes_get: (count: number, bytes: number) => listedArgs.putSizes(memory, count, bytes),
    environ_get: (addresses: number, texts: number) => listedEnv.put(memory, addresses, texts),
    environ_sizes_get: (count: number, bytes: number) => listedEnv.putSizes(memory, count, bytes),
    clock_res_get(clock: number, result: number) {
      const resolution = CLOCK_RESOLUTION_NS[clock]
      if (resolution === undefined) throw new WasiError('inval')
      memory.setU64(result, resolution)
    },
    clock_time_get(clock: number, _precision: bigint, result: number) {
      memory.setU64(result, timeNs(clock))
    },
    random_get(address: number, length: number) {
      const bytes = memory.bytes(address, length)
      for (let at = 0; at < bytes.length; at += MAX_RANDOM_BYTES) {
        crypto.getRandomValues(bytes.subarray(at, at + MAX_RANDOM_BYTES) as Uint8Array<ArrayBuffer>)
      }
    },
    sched_yield() {},
    proc_exit(code: number): never {
      throw new GuestExit(code)
    },
  }
}

/** Texts as `argv` and `environ` hold them: addresses, and behind each its bytes and a NUL. */
function listOf(texts: readonly string[]) {
  const encoded = texts.map((text) => new TextEncoder().encode(`${text}\0`))
  const total = encoded.reduce((sum, { length }) => sum + length, 0)
  return {
    putSizes(memory: WasiMemory, count: number, bytes: number): void {
      memory.setU32(count, encoded.length)
      memory.setU32(bytes, total)
    },
    put(memory: WasiMemory, addresses: number, at: number): void {
      const table = memory.fields(addresses, encoded.length * 4)
      const space = memory.bytes(at, total)
      let offset = 0
      for (const [index, bytes] of encoded.entries()) {
        table.setUint32(index * 4, (at >>> 0) + offset, true)
        space.set(bytes, offset)
        offset += bytes.length
      }
    },
  }
}
