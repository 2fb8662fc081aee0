import { constants } from 'node:os'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { breachWords, type LimitBreach } from '../execution/limit-error.ts'
import { RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import type { ExitClass } from '../../src/contract/life.ts'

/** Why the host ended a process, when it was the host. */
export type EndCause =
  | 'stop'
  | 'operator'
  /** Nobody called it for long. */
  | 'idle'
  /** Another generation took its place. */
  | 'reload'
  /** It did not answer a ping. */
  | 'unresponsive'
  | 'host_shutdown'
  | 'wall_limit'
  | 'memory_limit'
  /** An allocation of a call failed inside, and the call was told so. */
  | 'memory_refused'
  /** A call used more of the processor than it may. */
  | 'cpu_limit'
  /** It met another limit: of its disk, its results, its files, its network. */
  | 'resource_limit'
  | 'protocol'
  | 'start_timeout'
  /** It answered that it could not start. */
  | 'start_failed'
  /** What holds it is not what was declared. */
  | 'not_attested'
  /** It held on to a call that was cancelled. */
  | 'ignored_cancel'

/** Causes that say nothing against the process: it gets its time to shut down. */
export const GRACEFUL: ReadonlySet<EndCause> = new Set([
  'stop',
  'idle',
  'reload',
  'start_failed',
  'operator',
  'host_shutdown',
])

export interface ProcessEnd {
  /** Exit code; bubblewrap answers 128 + n for a child that a signal ended. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Whether no call was in flight, and it had become ready. */
  readonly isIdle: boolean
  /** What the host wanted when it happened; null when the host wanted nothing. */
  readonly cause: EndCause | null
  /** What of it broke the protocol, when that is the cause. */
  readonly violation: string | null
  /** The limit that it went over, where the host ended it for that. */
  readonly breach: LimitBreach | null
  /** Whether it held nearly all of the memory that it may have. */
  readonly isNearMemoryLimit: boolean
  /** The last lines of stderr: V8 says there why it gives up. */
  readonly stderrTail: string
}

const BY_CAUSE: Readonly<Record<EndCause, ExitClass>> = {
  stop: 'expected',
  operator: 'killed_by_operator',
  idle: 'expected',
  reload: 'expected',
  unresponsive: 'wall_limit',
  host_shutdown: 'host_shutdown',
  wall_limit: 'wall_limit',
  memory_limit: 'oom',
  memory_refused: 'oom',
  cpu_limit: 'cpu_limit',
  resource_limit: 'resource_limit',
  protocol: 'protocol',
  start_timeout: 'wall_limit',
  start_failed: 'crash',
  not_attested: 'crash',
  ignored_cancel: 'wall_limit',
}

/** The last words of V8, Node, the C++ library, Rust, Go and Python when memory is refused. */
const OUT_OF_MEMORY =
  /FATAL ERROR: .*(?:out of memory|Allocation failed)|Fatal (?:process|JavaScript) out of memory|std::bad_alloc|ERR_MEMORY_ALLOCATION_FAILED|Array buffer allocation failed|^memory allocation of \d+ bytes failed|^fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory)|^MemoryError\b/m

/** As it is told and written down. */
export function toExitInfo(end: ProcessEnd, generation: number): ExitInfo {
  const exitClass = classifyExit(end)
  return {
    class: exitClass,
    at: new Date().toISOString(),
    generation,
    code: end.code,
    signal: end.signal,
    message: describeExit(end, exitClass),
  }
}

/** What an end says of a process. */
export function classifyExit(end: ProcessEnd): ExitClass {
  if (end.cause !== null) return BY_CAUSE[end.cause]
  if (OUT_OF_MEMORY.test(end.stderrTail)) return 'oom'
  if (end.code === RUNNER_EXIT_CODES.protocol) return 'protocol'
  if (isFileTooLarge(end)) return 'resource_limit'
  // Code 0 under a call is no normal end: the call has no answer.
  if (end.code === 0 && end.isIdle) return 'expected'
  // A program that was refused memory ends by a signal, or as it likes, and need not say why.
  if (end.isNearMemoryLimit && end.code !== 0) return 'oom'
  return 'crash'
}

function describeExit(end: ProcessEnd, exitClass: ExitClass): string {
  const how = howEnded(end)
  if (end.cause !== null) {
    const what = end.violation === null ? '' : `: ${end.violation}`
    const words = end.breach === null ? WORDS[end.cause] : breachWords(end.breach)
    return `${exitClass}: ${words}${what} (${how})`
  }
  const last = end.stderrTail
    .trimEnd()
    .split('\n')
    .findLast((line) => line.trim() !== '' && !NODE_NOISE.test(line))
  return last === undefined
    ? `${exitClass}: ${how}`
    : `${exitClass}: ${how}; it last said: ${last.slice(0, MAX_LAST_CHARS)}`
}

/** SIGXFSZ ends a program that wrote past RLIMIT_FSIZE, unless it takes an error instead, as Node and Python do. */
export function isFileTooLarge({ code, signal }: { code: number | null; signal: string | null }): boolean {
  return signal === 'SIGXFSZ' || code === 128 + constants.signals.SIGXFSZ
}

/** As a shell would tell it. */
export function howEnded({ code, signal }: Pick<ProcessEnd, 'code' | 'signal'>): string {
  if (signal !== null) return `signal ${signal}`
  return code !== null && code > 128 ? `exit code ${code} (signal ${code - 128})` : `exit code ${code}`
}

const MAX_LAST_CHARS = 200
/** What Node prints below the error that ended it. */
const NODE_NOISE = /^Node\.js v|^\s+at |^\s*[{}]/

const WORDS: Readonly<Record<EndCause, string>> = {
  stop: 'it was asked to stop',
  operator: 'an operator ended it',
  idle: 'nobody called it for a while',
  reload: 'another generation took its place',
  unresponsive: 'it did not answer a ping',
  host_shutdown: 'the daemon shut down',
  wall_limit: 'a call did not end at its deadline',
  memory_limit: 'it went over its memory limit',
  memory_refused: 'a call went over its memory limit',
  cpu_limit: 'a call went over its CPU time',
  resource_limit: 'it went over a limit',
  protocol: 'it broke the protocol',
  start_timeout: 'it was not ready in time',
  start_failed: 'it could not start',
  not_attested: 'its sandbox is not what was declared',
  ignored_cancel: 'it did not let go of a cancelled call',
}
