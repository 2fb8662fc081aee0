/** What a program sees of a system call: `struct seccomp_data` without the instruction pointer. */
export interface SeenCall {
  readonly architecture: number
  readonly number: number
  /** Whole registers. */
  readonly arguments: readonly bigint[]
}

/** Runs classic BPF as the kernel's seccomp does; only the instructions that a filter of ours may have. */
export function runFilter(program: Buffer, seen: SeenCall): number {
  const data = encode(seen)
  let accumulator = 0
  for (let at = 0; at * 8 < program.length; at++) {
    const code = program.readUInt16LE(at * 8)
    const jumps = { ifTrue: program.readUInt8(at * 8 + 2), ifFalse: program.readUInt8(at * 8 + 3) }
    const k = program.readUInt32LE(at * 8 + 4)
    if (code === 0x20) {
      // The kernel refuses to load a filter that reads elsewhere.
      if (k % 4 !== 0 || k >= data.length) throw new RangeError(`load from ${k}`)
      accumulator = data.readUInt32LE(k)
    } else if (code === 0x54) accumulator = (accumulator & k) >>> 0
    else if (code === 0x05) at += k
    else if (code === 0x15) at += accumulator === k ? jumps.ifTrue : jumps.ifFalse
    else if (code === 0x35) at += accumulator >= k ? jumps.ifTrue : jumps.ifFalse
    else if (code === 0x06) return k
    else throw new RangeError(`instruction ${code.toString(16)} at ${at}`)
  }
  throw new RangeError('the program has no end')
}

function encode(seen: SeenCall): Buffer {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(seen.number, 0)
  data.writeUInt32LE(seen.architecture, 4)
  for (const [index, argument] of seen.arguments.entries()) {
    data.writeBigUInt64LE(BigInt.asUintN(64, argument), 16 + index * 8)
  }
  return data
}
