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
}

/** Arguments of `prlimit`; a single number sets the soft and the hard limit, so a runner cannot raise it again. */
export function rlimitArguments({ baseDataBytes, maxMemoryMb }: RlimitRequest): string[] {
  return [
    `--data=${baseDataBytes + maxMemoryMb * MIB}`,
    `--nofile=${MAX_OPEN_FILES}`,
    `--nproc=${MAX_PROCESSES}`,
    `--fsize=${MAX_FILE_BYTES}`,
    '--core=0',
  ]
}
