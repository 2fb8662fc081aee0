import {
  DEFAULT_MAX_DISK_MB,
  DEFAULT_MAX_FILE_SIZE_MB,
  DEFAULT_MAX_OPEN_FILES,
  DEFAULT_MAX_PROCESSES,
} from '../../src/contract/limits.ts'
import type { Manifest, ManifestLimits } from '../../src/contract/manifest.ts'
import type { LimitInfo } from '../../src/contract/plugin-info.ts'
import { cpuHoldOf } from '../monitor/cpu-hold.ts'
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

/** Every limit, what the manifest says of it, what holds, and by which mechanism; or why nothing does. */
export function describeLimits(facts: Facts): LimitInfo[] {
  const { concurrency, maxQueuedCalls, threads } = facts.manifest.runtime
  return [
    ...LIMITS.map(([name, key, hold]) => {
      const declared = facts.manifest.limits[key]
      return { name, declared, ...hold(facts.limits[key], facts) }
    }),
    { name: 'concurrency', declared: concurrency, ...held(concurrency, 'host queue') },
    { name: 'threads', declared: threads, ...holdThreads(facts) },
    { name: 'max_queued_calls', declared: maxQueuedCalls, ...held(maxQueuedCalls, 'host queue') },
  ]
}

type Held = Pick<LimitInfo, 'effective' | 'mechanism' | 'not_held'>
type Hold = (value: number | null, facts: Facts) => Held

function held(effective: number, mechanism: string): Held {
  return { effective, mechanism, not_held: null }
}

function notHeld(why: string | null): Held {
  return { effective: null, mechanism: null, not_held: why }
}

const THREADS = 'a thread of the runner starts them, node --permission refuses others'

/** Those of a program count among its processes. */
function holdThreads({ manifest }: Facts): Held {
  return manifest.type === 'native' ? notHeld(null) : held(threadsHere(manifest.runtime.threads), THREADS)
}

const PROXY = 'counted by the proxy of the daemon, then SIGKILL'
const LIMITS: readonly (readonly [string, keyof ManifestLimits, Hold])[] = [
  ['max_memory_mb', 'maxMemoryMb', grouped('memory.max', rlimit('RLIMIT_DATA, held memory watched'))],
  ['max_execution_time_ms', 'maxExecutionTimeMs', host('host deadline, then SIGKILL')],
  ['max_cpu_time_ms', 'maxCpuTimeMs', host("the kernel's count, watched by the host, then SIGKILL")],
  ['max_cpu_percent', 'maxCpuPercent', holdProcessor],
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
    return effective === null ? notHeld(null) : held(effective, mechanism)
  }
}

function rlimit(mechanism: string, houseDefault: number | null = null): Hold {
  const hold = host(mechanism, houseDefault)
  return (value, facts) =>
    setsRlimits(facts.machine) ? hold(value, facts) : notHeld('prlimit is not installed')
}

/** The same figure in the group of each process, where there are groups. */
function grouped(file: string, alone: Hold, houseDefault: number | null = null): Hold {
  return (value, facts) => {
    const without = alone(value, facts)
    const effective = without.effective ?? value ?? houseDefault
    if (!facts.hasCgroups || effective === null) return without
    const words = [without.mechanism, `cgroup v2 ${file}`].filter((mechanism) => mechanism !== null)
    return held(effective, words.join(' + '))
  }
}

/** In tier `namespace` its own last program does, elsewhere that of util-linux. */
function setsRlimits({ tier, prlimitPath }: Machine): boolean {
  return tier === 'namespace' || prlimitPath !== null
}

function holdProcesses(value: number | null, facts: Facts): Held {
  if (!countsProcessesAlone(facts.machine))
    return notHeld('the kernel would count the other programs of the same user')
  return rlimit('RLIMIT_NPROC, threads counted', DEFAULT_MAX_PROCESSES)(value, facts)
}

function holdProcessor(value: number | null, { machine: { tier }, hasCgroups, manifest }: Facts): Held {
  if (value === null) return notHeld(null)
  const hold = cpuHoldOf({ tier, hasCgroups }, manifest)
  if (hold.by === null) return notHeld(hold.problem)
  return held(value, hold.by === 'cgroup' ? 'cgroup v2 cpu.max' : 'stopped by the daemon (SIGSTOP) beyond it')
}

function holdOutput(value: number | null, { maxPayloadBytes }: Facts): Held {
  const effective = Math.min(value ?? maxPayloadBytes, maxPayloadBytes)
  return held(effective, 'host, when a result is announced')
}
