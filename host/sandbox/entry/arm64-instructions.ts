import { type InstructionSet, KEPT, littleEndian } from './machine-code.ts'

const ZERO = 31
const KEPT_REGISTER = 19
const NUMBER_REGISTER = 20
/** For what needs a place for a moment. */
const [A, B, C, D] = [9, 10, 11, 12] as const
const SUPERVISOR_CALL = 0xd400_0001
const ASCII_0 = 48

/**
 * AArch64: number in x8, arguments in x0 to x4, result in x0; argc at sp. A call changes x0 alone. Kept are a result in
 * x19, and the number of a line in w20.
 */
export const ARM64: InstructionSet = {
  elfMachine: 183,
  numbers: {
    prlimit64: 261,
    setgroups: 159,
    setresgid: 149,
    setresuid: 147,
    prctl: 167,
    capset: 91,
    mount: 40,
    read: 63,
    recvfrom: 207,
    openat: 56,
    kill: 129,
    socket: 198,
    connect: 203,
    bind: 200,
    listen: 201,
    sendmsg: 211,
    close: 57,
    clone: 220,
    execve: 221,
    write: 64,
    exit_group: 94,
  },
  call(number, values) {
    const loads = values.flatMap((value, register) =>
      value === KEPT ? [move(register, KEPT_REGISTER)] : moveWide(register, value),
    )
    return words([...loads, ...moveWide(8, BigInt(number)), SUPERVISOR_CALL])
  },
  // tbnz x0, #63
  ifRefused: { bytes: 4, to: (distance) => words([0xb7f8_0000 | (((distance / 4) & 0x3fff) << 5)]) },
  // cbz x0
  ifZero: { bytes: 4, to: (distance) => words([0xb400_0000 | immediate19(distance)]) },
  keepResult: words([move(KEPT_REGISTER, 0)]),
  storeKept(address) {
    // str kept, [B]
    return words([...moveWide(B, address), 0xb900_0000 | (B << 5) | KEPT_REGISTER])
  },
  report(address) {
    return words([
      // cmp x0, #0; csneg A, xzr, x0, ge
      0xf100_001f,
      0xda80_a400 | (ZERO << 5) | A,
      ...moveWide(B, address),
      ...moveWide(C, 10n),
      // udiv D, A, C; the rest in x13 (msub), as a digit at [B, #2]; then the same of D
      ...digitOf({ from: A, quotient: D, at: 2 }),
      ...digitOf({ from: D, quotient: A, at: 1 }),
      0x1100_0000 | (ASCII_0 << 10) | (A << 5) | A,
      0x3900_0000 | (B << 5) | A,
    ])
  },
  clearNumber: words([move(NUMBER_REGISTER, ZERO)]),
  takeByte: words([
    // ldrb A, [x1]
    0x3940_0000 | (1 << 5) | A,
    // cmp A, #':'; csel number, wzr, number, eq
    0x7100_0000 | (58 << 10) | (A << 5) | ZERO,
    0x1a80_0000 | (NUMBER_REGISTER << 16) | (ZERO << 5) | NUMBER_REGISTER,
    // sub B, A, #'0'; mov C, #10; madd D, number, C, B
    0x5100_0000 | (ASCII_0 << 10) | (A << 5) | B,
    0x5280_0000 | (10 << 5) | C,
    0x1b00_0000 | (C << 16) | (B << 10) | (NUMBER_REGISTER << 5) | D,
    // cmp B, #9; csel number, D, number, ls
    0x7100_0000 | (9 << 10) | (B << 5) | ZERO,
    0x1a80_0000 | (NUMBER_REGISTER << 16) | (0b1001 << 12) | (D << 5) | NUMBER_REGISTER,
  ]),
  ifLineGoesOn: {
    bytes: 8,
    // cmp A, #'\n'; b.ne
    to: (distance) =>
      words([0x7100_0000 | (10 << 10) | (A << 5) | ZERO, 0x5400_0001 | immediate19(distance - 4)]),
  },
  storePort(address) {
    // rev16 A, number; strh A, [B]
    const store = [0x5ac0_0400 | (NUMBER_REGISTER << 5) | A, 0x7900_0000 | (B << 5) | A]
    return words([...moveWide(B, address), ...store])
  },
  executeArguments(number) {
    // ldr x0, [sp, #16]; add x1, sp, #16; ldr x2, [sp]; add x2, x1, x2, lsl #3
    const load = [0xf940_0be0, 0x9100_43e1, 0xf940_03e2, 0x8b02_0c22]
    return words([...load, ...moveWide(8, BigInt(number)), SUPERVISOR_CALL])
  },
}

/** udiv quotient, from, C; msub x13, quotient, C, from; add x13, x13, #'0'; strb x13, [B, #at] */
function digitOf({ from, quotient, at }: { from: number; quotient: number; at: number }): number[] {
  const rest = 13
  return [
    0x9ac0_0800 | (C << 16) | (from << 5) | quotient,
    0x9b00_8000 | (C << 16) | (from << 10) | (quotient << 5) | rest,
    0x1100_0000 | (ASCII_0 << 10) | (rest << 5) | rest,
    0x3900_0000 | (at << 10) | (B << 5) | rest,
  ]
}

/** mov: orr to, xzr, from */
function move(to: number, from: number): number {
  return 0xaa00_03e0 | (from << 16) | to
}

function immediate19(distance: number): number {
  return ((distance / 4) & 0x7_ffff) << 5
}

/** movz, then movk for each of the upper 16 bits. */
function moveWide(register: number, value: bigint): number[] {
  return [0, 1, 2, 3].map((part) => {
    const bits = Number((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn)
    const base = part === 0 ? 0xd280_0000 : 0xf280_0000
    return (base | (part << 21) | (bits << 5) | register) >>> 0
  })
}

function words(instructions: readonly number[]): number[] {
  return instructions.flatMap((word) => littleEndian(BigInt(word >>> 0), 4))
}
