import type { SeccompArch } from '../seccomp/seccomp-program.ts'
import { type Argument, INSTRUCTION_SETS, type InstructionSet, type Step } from './machine-code.ts'

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
  const body = Buffer.concat([Buffer.from(code), ...data.parts])
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
function emit(set: InstructionSet, steps: readonly Step[], data: Addresses): number[] {
  const calls = steps.map(({ call, arguments: values }) =>
    set.call(
      set.numbers[call],
      values.map((value) => valueOf(value, data)),
    ),
  )
  const execute = set.executeArguments(set.numbers.execve)
  // execve(2) returns only when it was refused: what follows it says so.
  const texts = [...new Set([EXECUTION_REFUSED, ...steps.map(({ refusal }) => refusal)])]
  const refusals = texts.map((text) => refuse(set, text, data))
  const branchBytes = set.branchIfRefused(0).length
  let at = calls.reduce((sum, call) => sum + call.length + branchBytes, execute.length)
  const places = new Map<string, number>()
  for (const [index, refusal] of refusals.entries()) {
    places.set(texts[index]!, at)
    at += refusal.length
  }
  const code: number[] = []
  for (const [index, call] of calls.entries()) {
    code.push(...call)
    code.push(...set.branchIfRefused(places.get(steps[index]!.refusal)! - code.length))
  }
  return [...code, ...execute, ...refusals.flat()]
}

function refuse(set: InstructionSet, text: string, data: Addresses): number[] {
  const bytes = Buffer.from(`${text}\n`)
  return [
    ...set.call(set.numbers.write, [STDERR, data.add(bytes), BigInt(bytes.length)]),
    ...set.call(set.numbers.exit_group, [BigInt(REFUSED_EXIT_CODE)]),
  ]
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
