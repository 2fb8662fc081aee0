import fs from 'node:fs'

import { THREAD_CODE_RANGE_MB } from '../../src/contract/limits.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { Machine } from './machine.ts'
import { egressEnvironment } from './runner-command.ts'
import { runTrial } from './trial.ts'

/** What an idle runner has loaded depends on these. */
export interface RunnerKind {
  readonly hasNetwork: boolean
  readonly isWasm: boolean
  /** Of a program that is measured 0 or 1. */
  readonly threads: number
}

/** What an idle runner's data segment measures: RLIMIT_DATA is that and the allowance. */
export interface MemoryBase {
  readonly dataBytes: number
  /** What of it is for each thread that it may start; the runner holds that against the plugin until it does. */
  readonly threadBytes: number
}

/**
 * What a program that is not the runner may count against RLIMIT_DATA beside its allowance: its own data, what its
 * libraries and an interpreter set up before its first line. A C program counts 0.3 MiB, Python 3.11 some 4.
 */
export const PROGRAM_MEMORY_BASE: MemoryBase = { dataBytes: 16 * 1024 * 1024, threadBytes: 0 }

/** Loads what a runner loads of Node, says so, and waits. */
const IDLE_PROGRAM = `
const channel = new (require('node:net').Socket)({ fd: 3 })
channel.on('error', () => process.exit(0)).on('end', () => process.exit(0)).resume()
channel.write('idle')
`

/** A module that exports a memory of one page and `run`, which calls its import: the loader's way to and fro. */
const MODULE = 'AGFzbQEAAAABBgFgAX8BfgIHAQFoAWMAAAMCAQAFAwEAAQcQAgZtZW1vcnkCAANydW4AAQoIAQYAIAAQAAs='

/** Beside that what V8 keeps once WebAssembly ran: its code space, a second stack. */
const IDLE_WASM_PROGRAM = `
const compiled = new WebAssembly.Module(Buffer.from('${MODULE}', 'base64'))
const call = new WebAssembly.Suspending(async () => 1n)
const { run } = new WebAssembly.Instance(compiled, { h: { c: call } }).exports
WebAssembly.promising(run)(1).then(() => {${IDLE_PROGRAM}})
`

/** The same with a thread as plugins get them. */
const THREADED_PROGRAM = `
const { Worker } = require('node:worker_threads')
const resourceLimits = { codeRangeSizeMb: ${THREAD_CODE_RANGE_MB} }
const program = "require('node:worker_threads').parentPort.on('message', () => {})"
new Worker(program, { eval: true, resourceLimits }).once('online', () => {${IDLE_PROGRAM}})
`

/**
 * What an idle runner already counts against RLIMIT_DATA: the limit of a plugin is this and its allowance.
 * Read from the kernel (VmData of /proc/PID/status) while a program of ours idles exactly as a plugin without
 * permissions would. It depends on the Node binary and the tier, hardly on anything else (561.8 to 562.2 MiB over
 * heap limits from 16 to 1024 MiB), so a caller keeps it by these.
 *
 * @throws PhantomError SANDBOX_UNAVAILABLE when no program can be started
 */
export async function measureMemoryBase(
  machine: Machine,
  { hasNetwork, isWasm, threads }: RunnerKind = { hasNetwork: false, isWasm: false, threads: 0 },
): Promise<number> {
  let bytes: number | null = null
  const { code, stderr } = await runTrial(machine, {
    source: isWasm ? IDLE_WASM_PROGRAM : threads > 0 ? THREADED_PROGRAM : IDLE_PROGRAM,
    isWasm,
    threads,
    // Node then loads its HTTP client at the start (17 MiB), whether or not the plugin ever asks for anything.
    ...(hasNetwork ? { env: egressEnvironment() } : {}),
    observe: (pid) => (bytes = readDataBytes(pid)),
  })
  if (bytes !== null) return bytes
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot measure the memory of an idle runner: it ended with code ${code}, saying "${stderr.trim()}". Run "phantom doctor"`,
    { details: { tier: machine.tier } },
  )
}

function readDataBytes(pid: number): number {
  try {
    const kibibytes = /^VmData:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kibibytes) * 1024
  } catch (error) {
    throw new PhantomError(
      'SANDBOX_UNAVAILABLE',
      `Cannot read the memory of an idle runner from /proc/${pid}/status: ${messageOf(error)}. Mount /proc for the daemon`,
    )
  }
}
