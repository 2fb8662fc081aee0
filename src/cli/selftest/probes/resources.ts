import fs from 'node:fs'
import path from 'node:path'
import { isPhantomError } from '../../../contract/phantom-error.ts'
import type { Arena } from '../arena.ts'
import { MAX_CPU_MS, MAX_DISK_MB, MAX_EXECUTION_MS, MAX_MEMORY_MB, pluginId } from '../attackers.ts'
import { attackProbe, defineProbe, type Attempt } from '../define-probe.ts'
import type { AttackerName, Finding, Probe } from '../probe.ts'
import { watchNeighbours, type Watched } from '../watch-neighbours.ts'

const MIB = 1024 * 1024
/** What a process may have beyond idle and its limit: pages that were freed late, and code that was compiled. */
const MEMORY_SLACK_BYTES = 16 * MIB
/** The promise is 250 ms on a quiet machine, which the bench measures; here others may be at work. */
const WALL_SLACK_MS = 1_500
/** Another plugin's slowest call but one in twenty, on a machine that does other things as well. */
const PROMPT_MS = 1_500
const DAEMON_GROWTH_BYTES = 200 * MIB

type Ended = { readonly attempts: readonly Attempt[]; readonly code: string | null; readonly limit: string }

const MEMORY: readonly (readonly [id: string, attack: string, by: string])[] = [
  ['buffer', 'buffers', 'Buffers'],
  ['heap', 'heap', 'JavaScript objects'],
  ['strings', 'strings', 'texts'],
  ['shared', 'shared', 'SharedArrayBuffers'],
  ['growable', 'growable', 'growable SharedArrayBuffers'],
  ['resizable', 'resizable', 'resizable ArrayBuffers'],
  ['wasm', 'wasmPages', 'one growing WebAssembly memory'],
  ['wasm-many', 'wasmMany', 'many WebAssembly memories'],
  ['wasm-shared', 'wasmShared', 'shared WebAssembly memories'],
  ['wasm-table', 'wasmTables', 'WebAssembly tables'],
  ['unpacking', 'compressed', 'unpacking what was packed small'],
]

const THREADED_MEMORY: readonly (readonly [id: string, attack: string, tries: string])[] = [
  ['threads', 'memoryInThreads', 'takes memory on all of its threads at once until something stops it'],
  [
    'beside-threads',
    'memoryBesideThreads',
    'starts none of its threads, and takes their memory until something stops it',
  ],
]

const TIME: readonly (readonly [id: string, attack: string, tries: string])[] = [
  ['spin', 'spin', 'computes for ever'],
  ['regexp', 'backtracking', 'lets a regular expression backtrack for ever'],
  ['atomics', 'waiting', 'waits on an atomic for ever'],
  ['wasm-loop', 'wasmLoop', 'loops in WebAssembly for ever'],
  ['microtasks', 'microtasks', 'queues microtasks for ever'],
  ['immediates', 'immediates', 'keeps its event loop busy and never answers'],
  ['silence', 'silence', 'never answers'],
]

/** For each the name of the limit that must end it. */
const LIMITED: readonly (readonly [id: string, limit: string, attack: string, tries: string])[] = [
  ['cpu', 'max_cpu_time_ms', 'spin', `computes beyond its ${MAX_CPU_MS} ms of processor time`],
  ['disk', 'max_disk_mb', 'files', `writes 256 MiB into its data_dir, which may keep ${MAX_DISK_MB}`],
  ['disk-files', 'max_disk_mb', 'inodes', 'makes 2,500 empty files in its data_dir'],
  ['output', 'max_output_bytes', 'largeResult', 'returns a result of 2 MB where it may return 100 KB'],
]
const LIMITED_INPUT = { stepMib: 1, mostMib: 256, most: 2_500, keep: true }

export const RESOURCE_PROBES: readonly Probe[] = [
  ...MEMORY.map(([id, attack, by]) =>
    defineProbe({
      id: `memory-${id}`,
      area: 'resources',
      tries: `takes memory by ${by} until something stops it`,
      plugins: ['bare'],
      run: async (arena) => judgeMemory(await bomb(arena, 'bare', attack, {})),
    }),
  ),
  defineProbe({
    id: 'memory-native',
    area: 'resources',
    tries: 'takes native memory past all of Node until something stops it',
    plugins: ['loose'],
    skip: ({ tier }) =>
      tier === 'process'
        ? 'no plugin may call native code here'
        : process.arch === 'x64'
          ? null
          : 'its numbers are those of x86-64',
    run: async (arena) => judgeMemory(await bomb(arena, 'loose', 'nativeMemory', {})),
  }),
  ...THREADED_MEMORY.map(([id, attack, tries]) =>
    defineProbe({
      id: `memory-${id}`,
      area: 'resources',
      tries,
      plugins: ['threaded'],
      run: async (arena) => judgeMemory(await bomb(arena, 'threaded', attack, {})),
    }),
  ),
  defineProbe({
    id: 'time-threads',
    area: 'resources',
    tries: 'computes for ever on all of its threads',
    plugins: ['threaded'],
    run: async (arena) =>
      judgeTime(await bomb(arena, 'threaded', 'spinInThreads', {}), MAX_EXECUTION_MS.threaded),
  }),
  ...TIME.map(([id, attack, tries]) =>
    defineProbe({
      id: `time-${id}`,
      area: 'resources',
      tries,
      plugins: ['hasty'],
      run: async (arena) => judgeTime(await bomb(arena, 'hasty', attack, {})),
    }),
  ),
  defineProbe({
    id: 'time-swallow',
    area: 'resources',
    tries: 'takes memory for ever and swallows each refusal',
    plugins: ['hasty'],
    run: async (arena) => {
      const watched = await bomb(arena, 'hasty', 'swallowing', {})
      // What is looked at may be over its limit in one moment between two refusals: then that ends it first.
      return watched.value.limit === 'max_memory_mb' ? judgeMemory(watched) : judgeTime(watched)
    },
  }),
  attackProbe({
    id: 'files-large',
    area: 'resources',
    tries: 'makes one file of 8 GiB, also a sparse one',
    attack: 'largeFile',
    input: () => ({ bytes: 8 * 1024 * MIB }),
  }),
  attackProbe({
    id: 'files-open',
    area: 'resources',
    tries: 'opens 5,000 files at once',
    attack: 'openFiles',
    input: () => ({ most: 5000 }),
  }),
  defineProbe({
    id: 'space-tmp-files',
    area: 'resources',
    tries: 'makes 200,000 empty files in its private /tmp, whose names cost memory of the kernel',
    plugins: ['limited'],
    run: async (arena) => {
      const watched = await bomb(arena, 'limited', 'inodes', { folder: '/tmp', most: 200_000 })
      const [attempt] = watched.value.attempts
      if (attempt === undefined) return judgeLimit(watched, 'max_memory_mb')
      return { verdict: attempt.got === null ? 'held' : 'open', found: attempt.got ?? attempt.error ?? '' }
    },
  }),
  attackProbe({
    id: 'space-tmp',
    area: 'resources',
    tries: 'fills its private /tmp with 64 MiB',
    attack: 'files',
    input: () => ({ folder: '/tmp', stepMib: 1, mostMib: 64 }),
  }),
  ...LIMITED.map(([id, limit, attack, tries]) =>
    defineProbe({
      id: `limit-${id}`,
      area: 'resources',
      tries,
      plugins: [limit === 'max_cpu_time_ms' ? 'busy' : 'limited'],
      run: async (arena) => {
        const as = limit === 'max_cpu_time_ms' ? 'busy' : 'limited'
        return judgeLimit(await bomb(arena, as, attack, LIMITED_INPUT), limit)
      },
    }),
  ),
  defineProbe({
    id: 'time-after-answer',
    area: 'resources',
    tries: 'answers, and then computes for ever in a process that nobody waits for',
    plugins: ['hasty'],
    spoils: true,
    run: async (arena) => {
      await arena.attack('hasty', 'workAfterItsAnswer', {})
      return judgeTime(await bomb(arena, 'hasty', 'silence', {}))
    },
  }),
]

async function bomb(arena: Arena, as: AttackerName, attack: string, input: object): Promise<Watched<Ended>> {
  const data = arena.places.dataOf(pluginId(as))
  // What the one before left there may be more than it may keep.
  if (fs.existsSync(data))
    for (const name of fs.readdirSync(data)) fs.rmSync(path.join(data, name), { recursive: true })
  // A process of its own for each: what one left behind is not the next one's.
  await arena.renew(as)
  await arena.system.execute_plugin(pluginId(as), 'ping')
  return await watchNeighbours(arena, pluginId(as), async () => {
    try {
      return { attempts: await arena.attack(as, attack, input), code: null, limit: '' }
    } catch (error) {
      if (!isPhantomError(error)) throw error
      return { attempts: [], code: error.code, limit: String(error.details['limit']) }
    }
  })
}

function judgeMemory(watched: Watched<Ended>): Finding {
  const { value, growthBytes } = watched
  const allowed = MAX_MEMORY_MB * MIB + MEMORY_SLACK_BYTES
  const ended = value.code === null ? (value.attempts[0]?.error ?? 'nothing') : `${value.code} ${value.limit}`
  const found = `${inMib(growthBytes)} MiB above idle, limit ${MAX_MEMORY_MB}; ${ended}; ${pings(watched)}`
  if (growthBytes > allowed || value.attempts.some(({ got }) => got !== null))
    return { verdict: 'open', found }
  const isMemory = value.code === null || (value.code === 'LIMIT_EXCEEDED' && value.limit === 'max_memory_mb')
  return isMemory ? judgePings(watched, found) : { verdict: 'unclear', found }
}

function judgeTime(watched: Watched<Ended>, limitMs = MAX_EXECUTION_MS.hasty): Finding {
  const { value, durationMs } = watched
  const over = Math.round(durationMs - limitMs)
  const found = `${value.code ?? 'an answer'}, ${over} ms after its ${limitMs} ms; ${pings(watched)}`
  if (over > WALL_SLACK_MS) return { verdict: 'open', found }
  const isTime = value.code === 'LIMIT_EXCEEDED' && value.limit.endsWith('_time_ms')
  return isTime ? judgePings(watched, found) : { verdict: 'unclear', found }
}

function judgeLimit(watched: Watched<Ended>, limit: string): Finding {
  const { value, durationMs } = watched
  const ended = value.attempts.map(({ got, error }) => got ?? error).join() || `${value.code} ${value.limit}`
  const found = `${ended} after ${Math.round(durationMs)} ms; ${pings(watched)}`
  if (value.code === null) return { verdict: 'open', found }
  return value.code === 'LIMIT_EXCEEDED' && value.limit === limit
    ? judgePings(watched, found)
    : { verdict: 'unclear', found }
}

function judgePings(watched: Watched<unknown>, found: string): Finding {
  const isFair = at(watched.pingsMs, 0.95) <= PROMPT_MS && watched.daemonGrowthBytes <= DAEMON_GROWTH_BYTES
  return { verdict: isFair ? 'held' : 'open', found }
}

function pings({ pingsMs }: Watched<unknown>): string {
  return `${pingsMs.length} calls of the neighbour, p95 ${at(pingsMs, 0.95).toFixed(1)} ms`
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? 0
}

function inMib(bytes: number): number {
  return Math.round(bytes / MIB)
}
