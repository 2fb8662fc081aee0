import { expect } from 'chai'
import * as fc from 'fast-check'

import { seccompProgram, type SeccompRequest } from '../../../../../host/sandbox/seccomp/seccomp-program.ts'
import {
  numberOf,
  type SeccompArch,
  type SyscallName,
} from '../../../../../host/sandbox/seccomp/syscall-numbers.ts'
import { runFilter } from './run-filter.ts'

export const ALLOW = 'allow'
export const KILL = 'kill'
export type Answer = typeof ALLOW | typeof KILL | number
export const EPERM = 1

export const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 }
const ARCHES: readonly SeccompArch[] = ['x64', 'arm64']
export const VARIANTS = ARCHES.flatMap((arch) =>
  [false, true].flatMap((process) => [false, true].map((network) => ({ arch, process, network }))),
)
export type Variant = SeccompRequest

interface Asked {
  readonly number: number
  readonly arguments?: readonly bigint[]
  readonly architecture?: number
}

export function ask(variant: Variant, { number, arguments: given = [], architecture }: Asked): Answer {
  const value = runFilter(seccompProgram(variant), {
    architecture: architecture ?? AUDIT[variant.arch],
    number,
    arguments: [...given, ...Array<bigint>(6 - given.length).fill(0n)],
  })
  if (value === 0x7fff_0000) return ALLOW
  if (value === 0x8000_0000) return KILL
  expect(value >>> 16, 'an errno').to.equal(5)
  return value & 0xffff
}

/** By name; a name that the architecture has not is asked as an unknown number. */
export function call(variant: Variant, name: SyscallName, ...given: (number | bigint)[]): Answer {
  const number = numberOf(name, variant.arch)
  return number === null ? EPERM : ask(variant, { number, arguments: given.map((one) => BigInt(one)) })
}

const register = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
export const registers = fc.array(register, { minLength: 6, maxLength: 6 })
export const variants = fc.constantFrom(...VARIANTS)

/** The same question with any bits set in the upper half of each register gets the same answer. */
export function alwaysThe(answer: Answer, variant: Variant, name: SyscallName, ...given: number[]): void {
  expect(call(variant, name, ...given), `${name}(${given.join()}) on ${variant.arch}`).to.equal(answer)
  const high = given.map((one) => BigInt(one >>> 0) | (0xdead_beefn << 32n))
  expect(call(variant, name, ...high), `${name}(${given.join()}) with high bits`).to.equal(answer)
}
