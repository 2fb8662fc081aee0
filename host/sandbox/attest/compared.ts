import type { AttestationItem } from '../../../src/contract/attestation.ts'
import type { MechanismKey } from './expected.ts'

/** One thing of a process, declared and found. */
export interface Compared {
  readonly name: string
  readonly declared: string
  readonly mechanism: MechanismKey
  /** Below `/proc/PID/`. */
  readonly file: string
  /** What is so, and whether that is what was declared; a text alone says why it could not be read. */
  readonly found: { readonly effective: string; readonly holds: boolean } | string
}

export function toItem(compared: Compared, mechanism: string | null): AttestationItem {
  const { name, declared, file, found } = compared
  const shared = { name, declared, mechanism }
  if (typeof found === 'string') {
    return { ...shared, effective: null, proof: `/proc/PID/${file}: ${found}`, verdict: 'not_readable' }
  }
  const { effective, holds } = found
  return { ...shared, effective, proof: `/proc/PID/${file}`, verdict: holds ? 'holds' : 'differs' }
}

export function listOrNone(values: readonly (string | number)[]): string {
  return values.length === 0 ? 'none' : values.join(', ')
}
