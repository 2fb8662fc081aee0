import type { IsolationTier } from '../../src/contract/life.ts'

const MIB = 1024 * 1024

const MAX_OPEN_FILES = 256
/** Threads count as well; an idle Node has six. */
const MAX_PROCESSES = 64
/** One file. Plugins with `fs_write` write results, so it is generous; there is no quota for a folder. */
const MAX_FILE_BYTES = 1024 * MIB

export interface RlimitRequest {
  /** What an idle runner already counts against RLIMIT_DATA, most of it V8's code range (562 MiB on x86-64). */
  readonly baseDataBytes: number
  readonly maxMemoryMb: number
  /** See `countsProcessesAlone`. */
  readonly limitProcesses: boolean
}

/** Arguments of `prlimit`; a single number sets the soft and the hard limit, so a runner cannot raise it again. */
export function rlimitArguments({ baseDataBytes, maxMemoryMb, limitProcesses }: RlimitRequest): string[] {
  return [
    `--data=${baseDataBytes + maxMemoryMb * MIB}`,
    `--nofile=${MAX_OPEN_FILES}`,
    ...(limitProcesses ? [`--nproc=${MAX_PROCESSES}`] : []),
    `--fsize=${MAX_FILE_BYTES}`,
    '--core=0',
  ]
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
