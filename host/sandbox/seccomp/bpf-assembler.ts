/** Bytes of one `struct sock_filter`: u16 code, u8 jt, u8 jf, u32 k. */
const INSTRUCTION_BYTES = 8
/** Both are one byte in an instruction. */
const MAX_CONDITIONAL_JUMP = 255
/** BPF_MAXINSNS of the kernel. */
const MAX_INSTRUCTIONS = 4096

/** linux/bpf_common.h. */
const CODES = {
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfAtLeast: 0x35,
  return: 0x06,
} as const

/** Where a conditional jump leads: a label, or null for the next instruction. */
type Target = string | null
type Condition = 'jumpIfEqual' | 'jumpIfAtLeast'

interface Instruction {
  readonly code: number
  readonly k: number
  readonly ifTrue: Target
  readonly ifFalse: Target
  /** For an unconditional jump. */
  readonly to: Target
}

/** Classic BPF with labels instead of offsets. Jumps lead forwards alone, as the kernel demands. */
export class BpfAssembler {
  readonly #instructions: Instruction[] = []
  readonly #labels = new Map<string, number>()

  label(name: string): void {
    if (this.#labels.has(name)) throw new RangeError(`label "${name}" is placed twice`)
    this.#labels.set(name, this.#instructions.length)
  }

  /** A 32-bit word of `struct seccomp_data` into the accumulator. */
  load(offsetBytes: number): void {
    this.#add({ code: CODES.load, k: offsetBytes })
  }

  and(mask: number): void {
    this.#add({ code: CODES.and, k: mask })
  }

  branch(condition: Condition, k: number, targets: { ifTrue?: Target; ifFalse?: Target }): void {
    const { ifTrue = null, ifFalse = null } = targets
    this.#add({ code: CODES[condition], k, ifTrue, ifFalse })
  }

  jump(to: string): void {
    this.#add({ code: CODES.jump, k: 0, to })
  }

  return(value: number): void {
    this.#add({ code: CODES.return, k: value })
  }

  /** Little-endian, as both architectures are. */
  assemble(): Buffer {
    if (this.#instructions.length > MAX_INSTRUCTIONS) throw new RangeError('the program is too long')
    const program = Buffer.alloc(this.#instructions.length * INSTRUCTION_BYTES)
    for (const [at, { code, k, to, ifTrue, ifFalse }] of this.#instructions.entries()) {
      const offset = at * INSTRUCTION_BYTES
      program.writeUInt16LE(code, offset)
      program.writeUInt8(this.#conditional(ifTrue, at), offset + 2)
      program.writeUInt8(this.#conditional(ifFalse, at), offset + 3)
      program.writeUInt32LE(to === null ? k >>> 0 : this.#distance(to, at), offset + 4)
    }
    return program
  }

  #add(instruction: Partial<Instruction> & Pick<Instruction, 'code' | 'k'>): void {
    this.#instructions.push({ ifTrue: null, ifFalse: null, to: null, ...instruction })
  }

  #conditional(target: Target, at: number): number {
    const distance = target === null ? 0 : this.#distance(target, at)
    if (distance > MAX_CONDITIONAL_JUMP) throw new RangeError(`"${target}" is too far for a conditional jump`)
    return distance
  }

  #distance(target: string, at: number): number {
    const place = this.#labels.get(target)
    if (place === undefined) throw new RangeError(`label "${target}" is placed nowhere`)
    if (place <= at) throw new RangeError(`label "${target}" lies behind its jump`)
    return place - at - 1
  }
}
