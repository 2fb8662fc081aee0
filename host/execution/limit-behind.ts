import {
  DEFAULT_MAX_FILE_SIZE_MB,
  DEFAULT_MAX_OPEN_FILES,
  DEFAULT_MAX_PROCESSES,
} from '../../src/contract/limits.ts'
import type { WireError } from '../../src/contract/phantom-error.ts'
import { limitsHeld } from '../process/apply-limits.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { LimitBreach } from './limit-error.ts'

const MEGABYTE = 1024 * 1024
/** A plugin may have closed some of what it had open when the kernel refused it the next. */
const NEARLY = 0.9

/** What starts a process or a thread, in the words of Node (`spawn node`) and of C. */
const STARTS = /^(?:spawn|v?fork|clone3?|posix_spawn|pthread_create)/

/** What the error of a call says of a limit of the kernel's: the host saw it met, or has the plugin's word alone. */
export interface LimitBehind {
  readonly breach: LimitBreach
  readonly isSeen: boolean
}

/**
 * The kernel refuses a process what is beyond its limit, the plugin meets an error (EMFILE, EAGAIN, EFBIG), and its
 * call fails of that or not, as the plugin likes. The code of the error is the plugin's word: the host counts itself.
 */
export function limitBehind(instance: RunnerInstance, { data }: WireError): LimitBehind | null {
  const limits = limitsHeld(instance)
  const { counts } = instance.figures
  const { code, syscall } = data?.details ?? {}
  if (code === 'EMFILE') {
    const declared = limits.maxOpenFiles ?? DEFAULT_MAX_OPEN_FILES
    return judge('max_open_files', declared, counts?.descriptors.upTo(declared) ?? null)
  }
  if (code === 'EAGAIN' && typeof syscall === 'string' && STARTS.test(syscall)) {
    const declared = limits.maxProcesses ?? DEFAULT_MAX_PROCESSES
    return judge('max_processes', declared, counts?.tasks.upTo(declared) ?? null)
  }
  return code === 'EFBIG' ? fileSizeBehind(instance) : null
}

/** Which file could not grow nobody says: one of that size is looked for where the plugin may write. */
export function fileSizeBehind(instance: RunnerInstance): LimitBehind {
  const declared = limitsHeld(instance).maxFileSizeMb ?? DEFAULT_MAX_FILE_SIZE_MB
  const bytes = instance.figures.counts?.fileBytes.upTo(declared * MEGABYTE) ?? null
  return judge('max_file_size_mb', declared, bytes === null ? null : Math.floor(bytes / MEGABYTE))
}

/** For the words of a failure that stays the plugin's own. */
export function limitNote({ breach: { limit, declared, measured } }: LimitBehind): string {
  const seen = measured === null ? '' : `; the daemon counts ${measured}`
  return ` (its limit ${limit} is ${declared}${seen}: to allow more, raise it in [resource_limits] of its plugin.toml)`
}

function judge(limit: LimitBreach['limit'], declared: number, measured: number | null): LimitBehind {
  return { breach: { limit, declared, measured }, isSeen: measured !== null && measured >= declared * NEARLY }
}
