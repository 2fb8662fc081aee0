import type { SeccompArch } from '../seccomp/seccomp-program.ts'
import {
  type Argument,
  type CallName,
  INSTRUCTION_SETS,
  type InstructionSet,
  type Step,
} from './machine-code.ts'

/** Where the kernel puts the file; any page below the stack would do. */
const BASE = 0x40_0000n
const ELF_HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const HEADER_BYTES = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES
const PT_LOAD = 1
const PT_GNU_STACK = 0x6474_e551
const STDERR = 2n
/** `struct sock_filter` */
const FILTER_INSTRUCTION_BYTES = 8
/** What env(1), setpriv(1) and prlimit(1) end with when they cannot go on. */
const REFUSED_EXIT_CODE = 126
const EXECUTION_REFUSED = 'Cannot start the runner: the kernel refused to execute it'

/**
 * A whole program, as the bytes of its executable file (elf(5)): it makes the system calls of `steps` in order, then
 * becomes the program that its arguments name. There is no loader, no library and no memory of its own.
 */
export function elfProgram(architecture: SeccompArch, steps: readonly Step[]): Buffer {
  const set = INSTRUCTION_SETS[architecture]
  // Every address has the same width, so the length of the code does not depend on them.
  const codeBytes = emit(set, steps, { add: () => 0n }).length
  const data = new DataSection(BASE + BigInt(HEADER_BYTES + codeBytes))
  const code = emit(set, steps, data)
  const body = Buffer.concat([code, ...data.parts])
  return Buffer.concat([headers(set, HEADER_BYTES + body.length), body])
}

interface Addresses {
  add(bytes: Uint8Array): bigint
}

class DataSection implements Addresses {
  readonly parts: Uint8Array[] = []
  #next: bigint

  constructor(start: bigint) {
    this.#next = start
  }

  add(bytes: Uint8Array): bigint {
    const at = this.#next
    this.parts.push(bytes)
    this.#next += BigInt(bytes.length)
    return at
  }
}

/** The calls, each with a branch to what says that it was refused; then the execution; then the refusals. */
function emit(set: InstructionSet, steps: readonly Step[], data: Addresses): Buffer {
  const calls = steps.map(({ call, arguments: values }) =>
    callBytes(
      set,
      call,
      values.map((value) => valueOf(value, data)),
    ),
  )
  const execute = Buffer.from(set.executeArguments(set.numbers.execve))
  // execve(2) returns only when it was refused: what follows it says so.
  const texts = [...new Set([EXECUTION_REFUSED, ...steps.map(({ refusal }) => refusal)])]
  const refusals = texts.map((text) => refuse(set, text, data))
  const branchBytes = set.branchIfRefused(0).length
  let place = calls.reduce((sum, call) => sum + call.length + branchBytes, execute.length)
  const places = new Map<string, number>()
  for (const [index, refusal] of refusals.entries()) {
    places.set(texts[index]!, place)
    place += refusal.length
  }
  const parts: Buffer[] = []
  let at = 0
  for (const [index, call] of calls.entries()) {
    at += call.length
    const branch = Buffer.from(set.branchIfRefused(places.get(steps[index]!.refusal)! - at))
    at += branch.length
    parts.push(call, branch)
  }
  return Buffer.concat([...parts, execute, ...refusals])
}

const MAX_KEPT_CALLS = 1000
const keptCalls = new Map<string, Buffer>()

/** Most calls are the same in every program: making them anew is work that the daemon's loop waits for at each start. */
function callBytes(set: InstructionSet, name: CallName, values: readonly bigint[]): Buffer {
  const key = `${set.elfMachine} ${name} ${values.join(' ')}`
  const kept = keptCalls.get(key)
  if (kept !== undefined) return kept
  const bytes = Buffer.from(set.call(set.numbers[name], values))
  if (keptCalls.size < MAX_KEPT_CALLS) keptCalls.set(key, bytes)
  return bytes
}

function refuse(set: InstructionSet, text: string, data: Addresses): Buffer {
  const bytes = Buffer.from(`${text}\n`)
  return Buffer.concat([
    callBytes(set, 'write', [STDERR, data.add(bytes), BigInt(bytes.length)]),
    callBytes(set, 'exit_group', [BigInt(REFUSED_EXIT_CODE)]),
  ])
}

function valueOf(argument: Argument, data: Addresses): bigint {
  if (typeof argument !== 'object') return BigInt(argument)
  if (argument instanceof Uint8Array) return data.add(argument)
  const { instructions } = argument
  const program = Buffer.alloc(16)
  program.writeUInt16LE(instructions.length / FILTER_INSTRUCTION_BYTES, 0)
  program.writeBigUInt64LE(data.add(instructions), 8)
  return data.add(program)
}

function headers({ elfMachine }: InstructionSet, fileBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  // 64 bits, little-endian, System V.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(elfMachine, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BASE + BigInt(HEADER_BYTES), 24)
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32)
  header.writeUInt16LE(ELF_HEADER_BYTES, 52)
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54)
  header.writeUInt16LE(2, 56)
  const [readExecute, readWrite] = [0b101, 0b110]
  header.writeUInt32LE(PT_LOAD, 64)
  header.writeUInt32LE(readExecute, 68)
  header.writeBigUInt64LE(BASE, 80)
  header.writeBigUInt64LE(BASE, 88)
  header.writeBigUInt64LE(BigInt(fileBytes), 96)
  header.writeBigUInt64LE(BigInt(fileBytes), 104)
  header.writeBigUInt64LE(0x1000n, 112)
  // A stack that nothing can be executed on.
  header.writeUInt32LE(PT_GNU_STACK, 120)
  header.writeUInt32LE(readWrite, 124)
  return header
}
