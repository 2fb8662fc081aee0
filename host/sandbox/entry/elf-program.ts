import type { SeccompArch } from '../seccomp/seccomp-program.ts'
import { ARM64 } from './arm64-instructions.ts'
import { addressAt, elfHeaders, HEADER_BYTES, writableAddressAt } from './elf-file.ts'
import {
  type Argument,
  type Branch,
  type CallName,
  type InstructionSet,
  KEPT,
  type Memory,
  type Step,
  type SystemCall,
} from './machine-code.ts'
import { X64 } from './x64-instructions.ts'

const INSTRUCTION_SETS: Readonly<Record<SeccompArch, InstructionSet>> = { x64: X64, arm64: ARM64 }
const STDERR = 2n
/** An instruction of arm64 has four bytes, and a line of a processor's cache more. */
const CODE_ALIGNMENT = 16
/** What env(1), setpriv(1) and prlimit(1) end with when they cannot go on. */
const REFUSED_EXIT_CODE = 126
const EXECUTION_REFUSED = 'Cannot start the runner: the kernel refused to execute it'

/**
 * A whole program, as the bytes of its executable file (elf(5)): it does what `steps` say in order, then becomes the
 * program that its arguments name. There is no loader and no library.
 */
export function elfProgram(architecture: SeccompArch, steps: readonly Step[]): Buffer {
  const set = INSTRUCTION_SETS[architecture]
  // Before the code, whose jumps are relative: so where the data lies is known before how long the code is.
  const data = new DataSection(HEADER_BYTES)
  const code = emit(set, steps, data)
  const padding = Buffer.alloc(-data.end & (CODE_ALIGNMENT - 1))
  const body = Buffer.concat([...data.parts, padding, code])
  const entry = data.end + padding.length
  return Buffer.concat([elfHeaders(set.elfMachine, { entry, fileBytes: HEADER_BYTES + body.length }), body])
}

/**
 * Gives the one call in a program that has the numbers `from` the numbers `to`, in place.
 * @throws TypeError where there is no such call
 */
export function replaceCall(
  architecture: SeccompArch,
  program: Buffer,
  { call, from, to }: { call: CallName; from: readonly number[]; to: readonly number[] },
): void {
  const set = INSTRUCTION_SETS[architecture]
  const before = callBytes(set, call, from.map(BigInt))
  const after = set.call(set.numbers[call], to.map(BigInt))
  // From the end, where the code is: what lies before it holds a manifest's figures.
  const at = program.lastIndexOf(before)
  if (at === -1) throw new TypeError(`a program that calls ${call} with other numbers than it was made with`)
  program.set(after, at)
}

/** What lies before the code. */
class DataSection {
  readonly parts: Uint8Array[] = []
  readonly #memory = new Map<Uint8Array, bigint>()
  #next: number

  constructor(start: number) {
    this.#next = start
  }

  /** The first byte of the file behind it. */
  get end(): number {
    return this.#next
  }

  /** The address of an argument's bytes; of memory always the same one. */
  valueOf(argument: Exclude<Argument, typeof KEPT>): bigint {
    if (typeof argument !== 'object') return BigInt(argument)
    if (argument instanceof Uint8Array) return addressAt(this.#add(argument))
    if ('memory' in argument) return this.#addressOf(argument)
    const bytes = Buffer.alloc(8 * argument.fields.length)
    for (const [index, field] of argument.fields.entries())
      bytes.writeBigUInt64LE(BigInt.asUintN(64, this.valueOf(field)), 8 * index)
    return addressAt(this.#add(bytes))
  }

  #addressOf({ memory }: Memory): bigint {
    const known = this.#memory.get(memory) ?? writableAddressAt(this.#add(memory))
    this.#memory.set(memory, known)
    return known
  }

  #add(bytes: Uint8Array): number {
    const at = this.#next
    this.parts.push(bytes)
    this.#next += bytes.length
    return at
  }
}

type Part =
  | Uint8Array
  | readonly number[]
  | { readonly branch: Branch; readonly to: string }
  | { readonly label: string }

/** The steps; then the execution; then the refusals, which each says and ends. */
function emit(set: InstructionSet, steps: readonly Step[], data: DataSection): Buffer {
  const refusals = new Set([EXECUTION_REFUSED])
  const parts = new Emitter(set, data, refusals).partsOf(steps)
  // execve(2) returns only when it was refused: what follows it says so.
  parts.push(set.executeArguments(set.numbers.execve))
  for (const text of refusals) {
    const bytes = Buffer.from(`${text}\n`)
    const says = callBytes(set, 'write', [STDERR, data.valueOf(bytes), BigInt(bytes.length)])
    parts.push({ label: text }, says, callBytes(set, 'exit_group', [BigInt(REFUSED_EXIT_CODE)]))
  }
  return assemble(parts)
}

class Emitter {
  readonly #set: InstructionSet
  readonly #data: DataSection
  readonly #refusals: Set<string>
  #labels = 0

  constructor(set: InstructionSet, data: DataSection, refusals: Set<string>) {
    this.#set = set
    this.#data = data
    this.#refusals = refusals
  }

  partsOf(steps: readonly Step[]): Part[] {
    return steps.flatMap((step) => this.#partsOf(step))
  }

  #partsOf(step: Step): Part[] {
    const { keepResult, clearNumber, takeByte, ifLineGoesOn, ifRefused } = this.#set
    if ('call' in step) return this.#call(step)
    if ('keepResult' in step) return [keepResult]
    if ('storeKeptInto' in step) return [this.#set.storeKept(this.#placeOf(step.storeKeptInto, step.at))]
    if ('reportInto' in step) return [this.#set.report(this.#placeOf(step.reportInto, step.at))]
    if ('storePortInto' in step) return [this.#set.storePort(this.#placeOf(step.storePortInto, step.at))]
    const label = this.#newLabel()
    if ('unlessRefused' in step)
      return [{ branch: ifRefused, to: label }, ...this.partsOf(step.unlessRefused), { label }]
    const { readLineFrom, byteInto, refusal } = step
    const read = this.#call({
      call: 'read',
      arguments: [readLineFrom, byteInto, 1],
      refusal,
      endsAtZero: refusal,
    })
    return [clearNumber, { label }, ...read, takeByte, { branch: ifLineGoesOn, to: label }]
  }

  #call({ call, arguments: values, refusal, endsAtZero }: SystemCall): Part[] {
    const { ifRefused, ifZero } = this.#set
    const bytes = callBytes(
      this.#set,
      call,
      values.map((value) => (value === KEPT ? KEPT : this.#data.valueOf(value))),
    )
    return [bytes, ...this.#end(ifRefused, refusal), ...this.#end(ifZero, endsAtZero)]
  }

  #end(branch: Branch, text: string | null | undefined): Part[] {
    if (text === null || text === undefined) return []
    this.#refusals.add(text)
    return [{ branch, to: text }]
  }

  #placeOf(memory: Memory, at: number): bigint {
    return this.#data.valueOf(memory) + BigInt(at)
  }

  #newLabel(): string {
    this.#labels += 1
    return `place ${this.#labels}`
  }
}

/** Puts the distance to its label into each branch. */
function assemble(parts: readonly Part[]): Buffer {
  const places = new Map<string, number>()
  let bytes = 0
  for (const part of parts) {
    if ('label' in part) places.set(part.label, bytes)
    else bytes += 'branch' in part ? part.branch.bytes : part.length
  }
  const code = Buffer.alloc(bytes)
  let at = 0
  for (const part of parts) {
    if ('label' in part) continue
    const emitted = 'branch' in part ? part.branch.to(places.get(part.to)! - at) : part
    code.set(emitted, at)
    at += emitted.length
  }
  return code
}

const MAX_KEPT_CALLS = 1000
const keptCalls = new Map<string, Buffer>()

/** Most calls are the same in every program: making them anew is work that the daemon's loop waits for at each start. */
function callBytes(set: InstructionSet, name: CallName, values: readonly (bigint | typeof KEPT)[]): Buffer {
  const key = `${set.elfMachine} ${name} ${values.join(' ')}`
  const kept = keptCalls.get(key)
  if (kept !== undefined) return kept
  const bytes = Buffer.from(set.call(set.numbers[name], values))
  if (keptCalls.size < MAX_KEPT_CALLS) keptCalls.set(key, bytes)
  return bytes
}
