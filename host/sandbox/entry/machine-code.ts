import type { SeccompArch } from '../seccomp/seccomp-program.ts'

/** An argument of a system call: a number, bytes whose address is passed, or a filter of system calls. */
export type Argument = number | bigint | Uint8Array | FilterProgram

/** Passed as `struct sock_fprog` (linux/filter.h): how many instructions, and where they are. */
interface FilterProgram {
  readonly instructions: Uint8Array
}

/** One system call. When the kernel refuses it, the program says `refusal` on stderr and ends. */
export interface Step {
  readonly call: CallName
  readonly arguments: readonly Argument[]
  readonly refusal: string
}

/** What an entry program may ask of the kernel, and how it ends. */
export type CallName = 'prlimit64' | 'setgroups' | 'setresgid' | 'setresuid' | 'prctl' | 'capset' | EndingCall
type EndingCall = 'execve' | 'write' | 'exit_group'

/** The instructions of one architecture, as far as a row of system calls needs them. */
export interface InstructionSet {
  /** `e_machine` of elf(5). */
  readonly elfMachine: number
  readonly numbers: Readonly<Record<CallName, number>>
  /** Puts the arguments where the kernel looks for them, and enters it. Always of the same length for as many arguments. */
  call(number: number, values: readonly bigint[]): number[]
  /** Goes on `bytes` behind this instruction when the kernel said no (a negative result). */
  branchIfRefused(bytes: number): number[]
  /** execve(2) of the program named by the first argument, with the rest of the arguments and the same environment. */
  executeArguments(number: number): number[]
}

/** System V ABI, x86-64: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9; argc at rsp. */
const X64: InstructionSet = {
  elfMachine: 62,
  numbers: {
    prlimit64: 302,
    setgroups: 116,
    setresgid: 119,
    setresuid: 117,
    prctl: 157,
    capset: 126,
    execve: 59,
    write: 1,
    exit_group: 231,
  },
  call(number, values) {
    const registers = [
      [0x48, 0xbf],
      [0x48, 0xbe],
      [0x48, 0xba],
      [0x49, 0xba],
      [0x49, 0xb8],
    ]
    const loads = values.flatMap((value, at) => [...registers[at]!, ...littleEndian(value, 8)])
    return [...loads, 0xb8, ...littleEndian(BigInt(number), 4), 0x0f, 0x05]
  },
  branchIfRefused(bytes) {
    // test rax, rax; js
    return [0x48, 0x85, 0xc0, 0x0f, 0x88, ...littleEndian(BigInt(bytes - 9), 4)]
  },
  executeArguments(number) {
    // mov rdi, [rsp+16]; lea rsi, [rsp+16]; mov rax, [rsp]; lea rdx, [rsp+rax*8+16]; mov eax, number; syscall
    const registers = '488b7c2410 488d742410 488b0424 488d54c410'
    return [...bytesOf(registers), 0xb8, ...littleEndian(BigInt(number), 4), 0x0f, 0x05]
  },
}

/** AArch64: number in x8, arguments in x0 to x4; argc at sp. */
const ARM64: InstructionSet = {
  elfMachine: 183,
  numbers: {
    prlimit64: 261,
    setgroups: 159,
    setresgid: 149,
    setresuid: 147,
    prctl: 167,
    capset: 91,
    execve: 221,
    write: 64,
    exit_group: 94,
  },
  call(number, values) {
    return words([
      ...values.flatMap((value, register) => moveWide(register, value)),
      ...moveWide(8, BigInt(number)),
      0xd400_0001,
    ])
  },
  branchIfRefused(bytes) {
    // tbnz x0, #63
    return words([0xb7f8_0000 | (((bytes / 4) & 0x3fff) << 5)])
  },
  executeArguments(number) {
    // ldr x0, [sp, #16]; add x1, sp, #16; ldr x2, [sp]; add x2, x1, x2, lsl #3
    return words([
      0xf940_0be0,
      0x9100_43e1,
      0xf940_03e2,
      0x8b02_0c22,
      ...moveWide(8, BigInt(number)),
      0xd400_0001,
    ])
  },
}

export const INSTRUCTION_SETS: Readonly<Record<SeccompArch, InstructionSet>> = { x64: X64, arm64: ARM64 }

/** movz, then movk for each of the upper 16 bits. */
function moveWide(register: number, value: bigint): number[] {
  return [0, 1, 2, 3].map((part) => {
    const bits = Number((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn)
    const base = part === 0 ? 0xd280_0000 : 0xf280_0000
    return (base | (part << 21) | (bits << 5) | register) >>> 0
  })
}

function bytesOf(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex')
}

function words(instructions: readonly number[]): number[] {
  return instructions.flatMap((word) => littleEndian(BigInt(word >>> 0), 4))
}

function littleEndian(value: bigint, bytes: number): number[] {
  // In two halves and by a loop: most of the time that a program takes to be made is spent here.
  const [low, high] = [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))]
  const all: number[] = []
  for (let at = 0; at < bytes; at++) all.push(((at < 4 ? low : high) >>> (8 * (at & 3))) & 0xff)
  return all
}
