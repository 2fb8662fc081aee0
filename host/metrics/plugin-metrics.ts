import type { DenialCounts, DenialKind } from '../../src/contract/denial.ts'
import type { ErrorCode } from '../../src/contract/error-codes.ts'
import type { NetworkFigures, OperationFigures, PluginHealth } from '../../src/contract/health.ts'
import { CallCounters, type Outcome } from './call-counters.ts'
import { RollingCount } from './rolling-count.ts'

/** A plugin without `[[operations]]` takes any name, so callers choose how many there are. */
const MAX_OPERATIONS = 200
/** Where the rest is counted, and calls of operations that do not exist. */
const OTHER_OPERATIONS = '(other)'
/** Those that serve, drain or are on probation, with one to spare. */
const MAX_GENERATIONS = 4
const RECENT_CALLS_MS = 60_000
const RECENT_RESTARTS_MS = 300_000
const MAX_ERROR_CHARS = 500

/** Rejections of calls that the plugin worked on: their time is a time of the plugin. */
const ENDED_AT_WORK: ReadonlySet<string> = new Set<ErrorCode>([
  'PLUGIN_CRASHED',
  'PLUGIN_FAULT',
  'CALL_TIMEOUT',
  'LIMIT_EXCEEDED',
])
/** Say nothing about the plugin: the host refused the call before it, for reasons of its own or the caller's. */
const REFUSED_BY_HOST: ReadonlySet<string> = new Set<ErrorCode>([
  'PARAMS_INVALID',
  'PAYLOAD_TOO_LARGE',
  'WORKSPACE_DENIED',
  'QUEUE_FULL',
  'CIRCUIT_OPEN',
  'DAEMON_SHUTTING_DOWN',
])
/** The caller's mistakes towards this plugin; a new generation that refuses more than the old one did is worse, though. */
const MISTAKES_OF_CALLER: ReadonlySet<string> = new Set<ErrorCode>(['INPUT_INVALID', 'OPERATION_NOT_FOUND'])

export interface SettledCall {
  readonly operation: string
  readonly generation: number
  readonly outcome: Outcome
  /** Of a rejection; null otherwise. */
  readonly code: string | null
  /** Null where it succeeded. */
  readonly message: string | null
  readonly executionTimeMs: number
  /** Monotonic, as in all that follows. */
  readonly nowMs: number
}

/** Answered calls, and those of them that speak against the plugin. */
export interface ErrorWindow {
  readonly calls: number
  readonly errors: number
}

/** Both clocks at one moment. */
export interface Moment {
  readonly nowMs: number
  readonly epochMs: number
}

/** What one plugin has done since the daemon's start, whatever its generation. Memory is bounded. */
export class PluginMetrics {
  readonly #operations = new Map<string, CallCounters>()
  readonly #generations = new Map<number, { calls: number; errors: number }>()
  readonly #recentCalls = new RollingCount(RECENT_CALLS_MS)
  readonly #recentErrors = new RollingCount(RECENT_CALLS_MS)
  readonly #recentRestarts = new RollingCount(RECENT_RESTARTS_MS)
  readonly #redact: (text: string) => string
  readonly #denials: DenialCounts = { fs_read: 0, fs_write: 0, network: 0, env: 0, process: 0, runtime: 0 }
  /** Counted by the proxies of its processes. */
  readonly network: NetworkFigures = { requests: 0, connections: 0, bytes: 0 }
  #lastError: SettledCall | null = null
  #restarts = 0
  #endedCpuMs = 0

  constructor(redact: (text: string) => string) {
    this.#redact = redact
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Of the processes that have ended; `addCpu` adds to it. */
  get endedCpuMs(): number {
    return this.#endedCpuMs
  }

  /** On the path of every call. */
  onSettled(call: SettledCall): void {
    const ran = call.code === null ? call.outcome !== 'cancelled' : ENDED_AT_WORK.has(call.code)
    this.#countersOf(call).record(call.outcome, ran ? call.executionTimeMs : null)
    if (call.outcome === 'cancelled') return
    if (call.outcome !== 'succeeded') this.#lastError = call
    if (call.code === null || !REFUSED_BY_HOST.has(call.code)) this.#judge(call)
  }

  get denials(): Readonly<DenialCounts> {
    return this.#denials
  }

  onDenied(kind: DenialKind): void {
    this.#denials[kind] += 1
  }

  onRestart(nowMs: number): void {
    this.#restarts += 1
    this.#recentRestarts.add(nowMs)
  }

  /** What a process had used when it ended. */
  addCpu(cpuTimeMs: number): void {
    if (cpuTimeMs > 0) this.#endedCpuMs += cpuTimeMs
  }

  /** For probation: all of a generation since its first call. Calls that the host refused are left out. */
  window(generation: number): ErrorWindow {
    return this.#generations.get(generation) ?? { calls: 0, errors: 0 }
  }

  /** For health: the last minute. Calls with the caller's mistakes are left out, too. */
  recent(nowMs: number): ErrorWindow {
    return { calls: this.#recentCalls.count(nowMs), errors: this.#recentErrors.count(nowMs) }
  }

  recentRestarts(nowMs: number): number {
    return this.#recentRestarts.count(nowMs)
  }

  /** All operations together, as a copy that others may merge on. */
  total(): CallCounters {
    const total = new CallCounters()
    for (const counters of this.#operations.values()) total.merge(counters)
    return total
  }

  operations(): OperationFigures[] {
    return [...this.#operations].map(([operation, counters]) => ({ operation, ...counters.figures() }))
  }

  lastError(moment: Moment): PluginHealth['last_error'] {
    const call = this.#lastError
    if (call === null) return null
    return {
      at: new Date(moment.epochMs - (moment.nowMs - call.nowMs)).toISOString(),
      code: call.code ?? 'PLUGIN_FAULT',
      // Redacted before it is cut: half a secret would not be recognised.
      message: this.#redact(call.message ?? '').slice(0, MAX_ERROR_CHARS),
      operation: call.operation,
    }
  }

  #judge(call: SettledCall): void {
    const isError = call.outcome !== 'succeeded'
    const window = this.#windowOf(call.generation)
    window.calls += 1
    if (isError) window.errors += 1
    if (call.code !== null && MISTAKES_OF_CALLER.has(call.code)) return
    this.#recentCalls.add(call.nowMs)
    if (isError) this.#recentErrors.add(call.nowMs)
  }

  #countersOf(call: SettledCall): CallCounters {
    const known = this.#operations.get(call.operation)
    if (known !== undefined) return known
    const isFull = this.#operations.size >= MAX_OPERATIONS
    const name = isFull || call.code === 'OPERATION_NOT_FOUND' ? OTHER_OPERATIONS : call.operation
    const counters = this.#operations.get(name) ?? new CallCounters()
    this.#operations.set(name, counters)
    return counters
  }

  #windowOf(generation: number): { calls: number; errors: number } {
    const known = this.#generations.get(generation)
    if (known !== undefined) return known
    const window = { calls: 0, errors: 0 }
    this.#generations.set(generation, window)
    if (this.#generations.size > MAX_GENERATIONS)
      this.#generations.delete(Math.min(...this.#generations.keys()))
    return window
  }
}
