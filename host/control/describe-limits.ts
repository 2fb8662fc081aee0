import {
  DEFAULT_MAX_DISK_MB,
  DEFAULT_MAX_FILE_SIZE_MB,
  DEFAULT_MAX_OPEN_FILES,
  DEFAULT_MAX_PROCESSES,
} from '../../src/contract/limits.ts'
import type { Manifest, ManifestLimits } from '../../src/contract/manifest.ts'
import type { LimitInfo } from '../../src/contract/plugin-info.ts'
import type { Machine } from '../sandbox/machine.ts'
import { countsProcessesAlone } from '../sandbox/rlimits.ts'
import { threadsHere } from '../sandbox/threads-here.ts'

interface Facts {
  readonly manifest: Manifest
  /** What holds now. */
  readonly limits: ManifestLimits
  readonly machine: Machine
  /** Whether each process has a group of cgroup v2. */
  readonly hasCgroups: boolean
  /** The daemon's own, for every payload. */
  readonly maxPayloadBytes: number
}

/** Every limit, what the manifest says of it, what holds, and by which mechanism; null where nothing does. */
export function describeLimits(facts: Facts): LimitInfo[] {
  const { concurrency, maxQueuedCalls, threads } = facts.manifest.runtime
  return [
    ...LIMITS.map(([name, key, hold]) => {
      const { effective, mechanism } = hold(facts.limits[key], facts)
      return { name, declared: facts.manifest.limits[key], effective, mechanism }
    }),
    { name: 'concurrency', declared: concurrency, effective: concurrency, mechanism: 'host queue' },
    {
      name: 'threads',
      declared: threads,
      effective: threadsHere(threads),
      mechanism: 'a thread of the runner starts them, node --permission refuses others',
    },
    {
      name: 'max_queued_calls',
      declared: maxQueuedCalls,
      effective: maxQueuedCalls,
      mechanism: 'host queue',
    },
  ]
}

const NOTHING: ReturnType<Hold> = { effective: null, mechanism: null }

type Hold = (value: number | null, facts: Facts) => Pick<LimitInfo, 'effective' | 'mechanism'>

const PROXY = 'counted by the proxy of the daemon, then SIGKILL'
const LIMITS: readonly (readonly [string, keyof ManifestLimits, Hold])[] = [
  ['max_memory_mb', 'maxMemoryMb', grouped('memory.max', rlimit('RLIMIT_DATA, held memory watched'))],
  ['max_execution_time_ms', 'maxExecutionTimeMs', host('host deadline, then SIGKILL')],
  ['max_cpu_time_ms', 'maxCpuTimeMs', host("the kernel's count, watched by the host, then SIGKILL")],
  ['max_open_files', 'maxOpenFiles', rlimit('RLIMIT_NOFILE', DEFAULT_MAX_OPEN_FILES)],
  ['max_processes', 'maxProcesses', grouped('pids.max', holdProcesses, DEFAULT_MAX_PROCESSES)],
  ['max_file_size_mb', 'maxFileSizeMb', rlimit('RLIMIT_FSIZE', DEFAULT_MAX_FILE_SIZE_MB)],
  ['max_disk_mb', 'maxDiskMb', host('data_dir watched by the host, then SIGKILL', DEFAULT_MAX_DISK_MB)],
  ['max_output_bytes', 'maxOutputBytes', holdOutput],
  ['max_calls_per_second', 'maxCallsPerSecond', host('host queue')],
  ['max_network_connections', 'maxNetworkConnections', host(PROXY)],
  ['max_network_bytes', 'maxNetworkBytes', host(PROXY)],
  ['max_network_requests', 'maxNetworkRequests', host(PROXY)],
]

function host(mechanism: string, houseDefault: number | null = null): Hold {
  return (value) => {
    const effective = value ?? houseDefault
    return { effective, mechanism: effective === null ? null : mechanism }
  }
}

function rlimit(mechanism: string, houseDefault: number | null = null): Hold {
  const held = host(mechanism, houseDefault)
  return (value, facts) => (setsRlimits(facts.machine) ? held(value, facts) : NOTHING)
}

/** The same figure in the group of each process, where there are groups. */
function grouped(file: string, alone: Hold, houseDefault: number | null = null): Hold {
  return (value, facts) => {
    const held = alone(value, facts)
    if (!facts.hasCgroups) return held
    const words = [held.mechanism, `cgroup v2 ${file}`].filter((mechanism) => mechanism !== null)
    return { effective: held.effective ?? value ?? houseDefault, mechanism: words.join(' + ') }
  }
}

/** In tier `namespace` its own last program does, elsewhere that of util-linux. */
function setsRlimits({ tier, prlimitPath }: Machine): boolean {
  return tier === 'namespace' || prlimitPath !== null
}

function holdProcesses(value: number | null, facts: Facts): ReturnType<Hold> {
  if (!countsProcessesAlone(facts.machine)) return NOTHING
  return rlimit('RLIMIT_NPROC, threads counted', DEFAULT_MAX_PROCESSES)(value, facts)
}

function holdOutput(value: number | null, { maxPayloadBytes }: Facts): ReturnType<Hold> {
  const effective = Math.min(value ?? maxPayloadBytes, maxPayloadBytes)
  return { effective, mechanism: 'host, when a result is announced' }
}
