import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Execution } from './execution.ts'

/** A limit that was gone over, with the figures that the host has of it. */
export interface LimitBreach {
  readonly limit:
    | 'max_cpu_time_ms'
    | 'max_disk_mb'
    | 'max_output_bytes'
    | 'max_open_files'
    | 'max_processes'
    | 'max_file_size_mb'
  readonly declared: number
  /** Null where nobody knows. */
  readonly measured: number | null
}

/** What was measured, and what the caller may do about it. */
const WORDS: Readonly<
  Record<LimitBreach['limit'], readonly [(measured: number | string) => string, string]>
> = {
  max_cpu_time_ms: [(used) => `it used ${used} ms of processor time`, 'Give it less work'],
  max_disk_mb: [(held) => `its data_dir holds ${held} MB`, 'Remove what it does not need from its data_dir'],
  max_output_bytes: [(bytes) => `its result has ${bytes} bytes`, 'Ask it for less'],
  max_open_files: [
    (open) => `it found no free descriptor and has ${open} files open`,
    'Let it close what it opens',
  ],
  max_processes: [
    (count) => `it could start nothing and has ${count} processes and threads`,
    'Let it start less',
  ],
  max_file_size_mb: [(size) => `a file of ${size} MB could not grow`, 'Let it write smaller files'],
}

export function limitError(execution: Execution, breach: LimitBreach): PhantomError {
  const { limit, declared, measured } = breach
  const [what, remedy] = WORDS[limit]
  const { operation, plugin } = execution.call
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `Cannot finish "${operation}" of "${plugin.id}": ${what(measured ?? 'too many')}, its limit ${limit} is ${declared}. ` +
      `Its process is replaced. ${remedy}, or raise the limit in [resource_limits] of its plugin.toml`,
    { details: { limit, declared, measured } },
  )
}
