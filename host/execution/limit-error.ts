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
    | 'max_network_requests'
    | 'max_network_connections'
    | 'max_network_bytes'
  readonly declared: number
  /** Null where nobody knows. */
  readonly measured: number | null
  /** How many files it is spread over, where that counts as well. */
  readonly files?: number
}

/** What was measured, and what the caller may do about it. */
const WORDS: Readonly<Record<LimitBreach['limit'], readonly [(breach: LimitBreach) => string, string]>> = {
  max_cpu_time_ms: [({ measured }) => `it used ${measured} ms of processor time`, 'Give it less work'],
  max_disk_mb: [
    ({ measured, files }) =>
      measured === null
        ? 'its data_dir cannot be measured'
        : `its data_dir holds ${measured} MB in ${files} files`,
    'Remove what it does not need from its data_dir',
  ],
  max_output_bytes: [({ measured }) => `its result has ${measured ?? 'too many'} bytes`, 'Ask it for less'],
  max_open_files: [
    ({ measured }) => `it found no free descriptor and has ${measured} files open`,
    'Let it close what it opens',
  ],
  max_processes: [
    ({ measured }) => `it could start nothing more and has ${measured} processes and threads`,
    'Let it start less',
  ],
  max_network_requests: [({ measured }) => `it made ${measured} requests`, 'Let it ask for less in one call'],
  max_network_connections: [
    ({ measured }) => `it opened ${measured} tunnels`,
    'Let it open less in one call',
  ],
  max_network_bytes: [
    ({ measured }) => `${measured} bytes went over its network`,
    'Let it load less in one call',
  ],
  max_file_size_mb: [
    ({ measured }) =>
      measured === null ? 'a file could not grow' : `a file of ${measured} MB could not grow`,
    'Let it write smaller files',
  ],
}

/** As the end of a sentence that names the plugin. */
export function breachWords(breach: LimitBreach): string {
  return `${WORDS[breach.limit][0](breach)}, its limit ${breach.limit} is ${breach.declared}`
}

/** What may be done about it, as the end of a sentence. */
export function breachRemedy({ limit }: LimitBreach): string {
  return `${WORDS[limit][1]}, or raise the limit in [resource_limits] of its plugin.toml`
}

export function limitError(execution: Execution, breach: LimitBreach): PhantomError {
  const { operation, plugin } = execution.call
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `Cannot finish "${operation}" of "${plugin.id}": ${breachWords(breach)}. Its process is replaced. ` +
      breachRemedy(breach),
    { details: { ...breach } },
  )
}
