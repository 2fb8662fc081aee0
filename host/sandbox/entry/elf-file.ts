/** Where the kernel puts the file; any page below the stack would do. */
const BASE = 0x40_0000n
/** Where the same file lies once more, to be written to: apart by more than the file has, and by pages of any size. */
const WRITABLE_BASE = 0x80_0000n
const ELF_HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const SEGMENTS = 3
export const HEADER_BYTES = ELF_HEADER_BYTES + SEGMENTS * PROGRAM_HEADER_BYTES
const PT_LOAD = 1
const PT_GNU_STACK = 0x6474_e551
const [READ_EXECUTE, READ_WRITE] = [0b101, 0b110]

/** The address of a byte of the file, to be read or executed. */
export function addressAt(offset: number): bigint {
  return BASE + BigInt(offset)
}

/** The same byte, where it can be written to. */
export function writableAddressAt(offset: number): bigint {
  return WRITABLE_BASE + BigInt(offset)
}

/** What stands before data and code, see elf(5): nothing is both written to and executed, and the stack neither. */
export function elfHeaders(
  elfMachine: number,
  { entry, fileBytes }: { readonly entry: number; readonly fileBytes: number },
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  // 64 bits, little-endian, System V.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(elfMachine, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(addressAt(entry), 24)
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32)
  header.writeUInt16LE(ELF_HEADER_BYTES, 52)
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54)
  header.writeUInt16LE(SEGMENTS, 56)
  for (const [index, { flags, base }] of LOADED.entries()) {
    const at = ELF_HEADER_BYTES + index * PROGRAM_HEADER_BYTES
    header.writeUInt32LE(PT_LOAD, at)
    header.writeUInt32LE(flags, at + 4)
    header.writeBigUInt64LE(base, at + 16)
    header.writeBigUInt64LE(base, at + 24)
    header.writeBigUInt64LE(BigInt(fileBytes), at + 32)
    header.writeBigUInt64LE(BigInt(fileBytes), at + 40)
    header.writeBigUInt64LE(0x1000n, at + 48)
  }
  const stack = ELF_HEADER_BYTES + LOADED.length * PROGRAM_HEADER_BYTES
  header.writeUInt32LE(PT_GNU_STACK, stack)
  header.writeUInt32LE(READ_WRITE, stack + 4)
  return header
}

const LOADED = [
  { flags: READ_EXECUTE, base: BASE },
  { flags: READ_WRITE, base: WRITABLE_BASE },
] as const
