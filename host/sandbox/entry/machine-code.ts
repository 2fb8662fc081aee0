/** An argument of a system call: a number, bytes or a structure whose address is passed, memory, or what was kept. */
export type Argument = number | bigint | Uint8Array | Structure | Memory | typeof KEPT

/** Passed by its address: 64 bits for each field. */
export interface Structure {
  readonly fields: readonly (number | bigint | Uint8Array | Memory | Structure)[]
}

/** Bytes that the program, or the kernel, writes to; those that it starts with. Passed by its address. */
export interface Memory {
  readonly memory: Uint8Array
}

/** The result that `keep` put aside. */
export const KEPT = 'kept'

/** One thing that a program does; in order. */
export type Step =
  | SystemCall
  | { readonly keepResult: true }
  /** What is kept, as 32 bits. */
  | { readonly storeKeptInto: Memory; readonly at: number }
  /** The error of the last call, as three decimal digits; `000` where it had none. */
  | { readonly reportInto: Memory; readonly at: number }
  /** What a file says up to the end of its line: the number that follows its last colon is kept, 0 where there is none. */
  | { readonly readLineFrom: number; readonly byteInto: Memory; readonly refusal: string }
  /** That number as 16 bits in network order. */
  | { readonly storePortInto: Memory; readonly at: number }
  /** Left out where the last call was refused. */
  | { readonly unlessRefused: readonly Step[] }

/** One system call. */
export interface SystemCall {
  readonly call: CallName
  readonly arguments: readonly Argument[]
  /** When the kernel refuses the call, the program says it on stderr and ends; null goes on. */
  readonly refusal: string | null
  /** The same, for a result of zero. */
  readonly endsAtZero?: string
}

/** What an entry program may ask of the kernel, and how it ends. */
export type CallName =
  | 'prlimit64'
  | 'setgroups'
  | 'setresgid'
  | 'setresuid'
  | 'prctl'
  | 'capset'
  | 'mount'
  | GateCall
  | ListenerCall
  | EndingCall
type GateCall = 'read' | 'recvfrom' | 'openat' | 'kill' | 'connect' | 'clone'
type ListenerCall = 'socket' | 'bind' | 'listen' | 'sendmsg' | 'close'
type EndingCall = 'execve' | 'write' | 'exit_group'

/** A jump that is taken or not: how many bytes it has, and its instructions for a distance from where they begin. */
export interface Branch {
  readonly bytes: number
  to(distance: number): number[]
}

/** The instructions of one architecture, as far as an entry program needs them. */
export interface InstructionSet {
  /** `e_machine` of elf(5). */
  readonly elfMachine: number
  readonly numbers: Readonly<Record<CallName, number>>
  /** Puts the arguments where the kernel looks for them, and enters it. Of one length for the same kinds of arguments. */
  call(number: number, values: readonly (bigint | typeof KEPT)[]): number[]
  /** Taken when the kernel said no (a negative result). */
  readonly ifRefused: Branch
  readonly ifZero: Branch
  readonly keepResult: readonly number[]
  storeKept(address: bigint): number[]
  /** Writes the last call's error as three decimal digits, and leaves its result where it is. */
  report(address: bigint): number[]
  /** Forgets the number that `takeByte` reads. */
  readonly clearNumber: readonly number[]
  /** After a call whose second argument is the address of a byte: a colon begins a number anew, a digit goes on with it. */
  readonly takeByte: readonly number[]
  /** Taken when that byte is not the end of a line. */
  readonly ifLineGoesOn: Branch
  storePort(address: bigint): number[]
  /** execve(2) of the program named by the first argument, with the rest of the arguments and the same environment. */
  executeArguments(number: number): number[]
}

/** A text as C has it. */
export function zeroEnded(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

export function littleEndian(value: bigint, bytes: number): number[] {
  // In two halves and by a loop: most of the time that a program takes to be made is spent here.
  const [low, high] = [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))]
  const all: number[] = []
  for (let at = 0; at < bytes; at++) all.push(((at < 4 ? low : high) >>> (8 * (at & 3))) & 0xff)
  return all
}
