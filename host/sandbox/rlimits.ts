import type { IsolationTier } from '../../src/contract/life.ts'
import {
  DEFAULT_MAX_FILE_SIZE_MB,
  DEFAULT_MAX_OPEN_FILES,
  DEFAULT_MAX_PROCESSES,
} from '../../src/contract/limits.ts'
import type { Machine } from './machine.ts'
import type { RunnerRequest } from './plan-runner.ts'
import { temporaryMb } from './temporary-size.ts'

const MIB = 1024 * 1024
/** What a program gets on any Linux unless somebody changed it. */
const STACK_BYTES = 8 * MIB

/** As `prlimit` names them; each is the soft and the hard limit, so a runner cannot raise it again. */
export interface Rlimits {
  readonly data: number
  readonly nofile: number
  /** Null where it is not set. */
  readonly nproc: number | null
  readonly fsize: number
  readonly core: 0
  /** Of the first thread; it grows by itself, and counts as no data. */
  readonly stack: number
}

/**
 * What the kernel limits a runner to. `baseDataBytes` is what an idle one already counts against RLIMIT_DATA, most of it
 * V8's code range (562 MiB on x86-64).
 */
export function rlimitsOf(
  machine: Pick<Machine, 'tier' | 'uid' | 'kernelRelease'>,
  { baseDataBytes, limits }: Pick<RunnerRequest, 'baseDataBytes' | 'limits'>,
): Rlimits {
  const temporary = machine.tier === 'namespace' ? temporaryMb(limits) : 0
  const limitProcesses = countsProcessesAlone(machine)
  return {
    data: baseDataBytes + (limits.maxMemoryMb - temporary) * MIB,
    nofile: limits.maxOpenFiles ?? DEFAULT_MAX_OPEN_FILES,
    nproc: limitProcesses ? (limits.maxProcesses ?? DEFAULT_MAX_PROCESSES) : null,
    fsize: (limits.maxFileSizeMb ?? DEFAULT_MAX_FILE_SIZE_MB) * MIB,
    core: 0,
    stack: STACK_BYTES,
  }
}

/** Arguments of `prlimit`. */
export function rlimitArguments(rlimits: Rlimits): string[] {
  return Object.entries(rlimits).flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`]))
}

/**
 * Whether RLIMIT_NPROC counts a runner's processes alone. It counts all that a uid has: a root daemon gives each
 * runner a uid of its own; any other needs a user namespace, which has its own count from Linux 5.14 on. Where it
 * would count a person's other programs, a runner could not start for their sake, so it is not set.
 */
export function countsProcessesAlone(machine: {
  tier: IsolationTier
  uid: number
  kernelRelease: string
}): boolean {
  if (machine.uid === 0) return true
  const [major = 0, minor = 0] = machine.kernelRelease.split('.').map((part) => Number.parseInt(part, 10))
  return machine.tier === 'namespace' && (major > 5 || (major === 5 && minor >= 14))
}
