import type {
  Gate,
  GenerationCause,
  GenerationInfo,
  GenerationState,
} from '../../src/contract/generations.ts'
import type { Manifest, ManifestLimits, ManifestRuntime } from '../../src/contract/manifest.ts'
import type { Permission } from '../../src/contract/permission.ts'
import type { HeldRights } from '../approvals/plugin-rights.ts'
import type { CallRequest } from '../execution/execution.ts'
import { CallRate } from '../execution/call-rate.ts'
import { messageOperation } from '../messages/message-operation.ts'
import { threadsHere } from '../sandbox/threads-here.ts'
import { CircuitBreaker, type BreakerOptions } from '../supervisor/circuit-breaker.ts'
import { RestartPolicy, type BackoffOptions } from '../supervisor/restart-policy.ts'

/** What the plugin allows one run of an operation, and which of its two limits says so. */
export interface RunLimit {
  readonly limitMs: number
  readonly owner: 'operation' | 'max_execution_time_ms'
}

export interface GenerationOptions {
  readonly pluginId: string
  readonly number: number
  readonly cause: GenerationCause
  readonly directory: string
  readonly builtin: boolean
  readonly manifest: Manifest
  readonly held: HeldRights
  readonly backoff: BackoffOptions
  readonly breaker: BreakerOptions
}

/** A plugin that takes any name for an operation must not fill the memory with breakers. */
const MAX_BREAKERS = 200

/** One version of a plugin as it was loaded: its manifest, its files, and the judgement on how it behaves. */
export class Generation {
  readonly id: string
  readonly number: number
  readonly cause: GenerationCause
  readonly at = new Date()
  readonly directory: string
  readonly builtin: boolean
  readonly manifest: Manifest
  /** Those of the manifest, or narrower ones that were set since. */
  #limits: ManifestLimits
  /** What it holds of what its manifest declares. Empty: nothing. */
  readonly rights: readonly Permission[]
  /** Its manifest's, without the capabilities that nobody approved. */
  readonly runtime: ManifestRuntime
  /** What its manifest declares beside, and why not. */
  readonly notHeld: HeldRights['notHeld']
  /** What the administrator's policy closes for it. */
  readonly forbidden: HeldRights['forbidden']
  /** Whether it holds a right to write: then calls may create files. */
  readonly mayWrite: boolean
  readonly restart: RestartPolicy
  /** Null where any number of calls may come. */
  rate: CallRate | null
  state: GenerationState = 'current'
  failure: { gate: Gate; message: string } | null = null
  digest: string | null = null
  /** When a file of it changed last, on the wall clock; 0 before they were copied. */
  changedAtMs = 0
  /** Its files, kept; null before its first process, and where they are not kept. */
  snapshot: string | null = null
  readonly #breakers = new Map<string, CircuitBreaker>()
  readonly #breakerOptions: BreakerOptions
  #runLimits: ReadonlyMap<string, RunLimit>
  #generalLimit: RunLimit
  readonly #idempotent: ReadonlySet<string>
  readonly #messages: ReadonlySet<string>

  constructor(options: GenerationOptions) {
    const { manifest } = options
    this.id = options.pluginId
    this.number = options.number
    this.cause = options.cause
    this.directory = options.directory
    this.builtin = options.builtin
    this.manifest = manifest
    this.#limits = manifest.limits
    this.rights = options.held.permissions
    this.runtime = options.held.runtime
    this.notHeld = options.held.notHeld
    this.forbidden = options.held.forbidden
    this.mayWrite = this.rights.some((right) => right.kind === 'fs_write')
    this.restart = new RestartPolicy({ ...manifest.restart, ...options.backoff, random: Math.random })
    this.rate = rateOf(manifest.limits)
    this.#breakerOptions = options.breaker
    this.#generalLimit = generalLimitOf(manifest.limits)
    this.#idempotent = new Set(
      manifest.operations.filter((known) => known.idempotent).map(({ name }) => name),
    )
    this.#runLimits = runLimitsOf(manifest, this.#generalLimit)
    this.#messages = new Set(manifest.messages.map(({ type }) => messageOperation(type)))
  }

  /** That it gets on this machine. */
  get threads(): number {
    return threadsHere(this.runtime.threads)
  }

  get limits(): ManifestLimits {
    return this.#limits
  }

  /** From the next call on; what watches reads them at each look. */
  setLimits(limits: ManifestLimits): void {
    if (limits.maxCallsPerSecond !== this.#limits.maxCallsPerSecond) this.rate = rateOf(limits)
    this.#limits = limits
    this.#generalLimit = generalLimitOf(limits)
    this.#runLimits = runLimitsOf(this.manifest, this.#generalLimit)
  }

  get breakers(): ReadonlyMap<string, CircuitBreaker> {
    return this.#breakers
  }

  /** Null for names beyond those that are kept apart. */
  breakerOf(operation: string): CircuitBreaker | null {
    const known = this.#breakers.get(operation)
    if (known !== undefined) return known
    if (this.#breakers.size >= MAX_BREAKERS) return null
    const breaker = new CircuitBreaker(this.#breakerOptions)
    this.#breakers.set(operation, breaker)
    return breaker
  }

  /** Forgets what it did: restarts are counted anew, breakers close. */
  reset(): void {
    this.restart.reset()
    this.#breakers.clear()
  }

  /** A plugin whose manifest lists no operations takes any name. */
  hasOperation(operation: string): boolean {
    return this.#runLimits.size === 0 || this.#runLimits.has(operation)
  }

  /** A call that was accepted by the generation before. */
  takes({ operation, message }: Pick<CallRequest, 'operation' | 'message'>): boolean {
    return message === null ? this.hasOperation(operation) : this.#messages.has(operation)
  }

  runLimitOf(operation: string): RunLimit {
    return this.#runLimits.get(operation) ?? this.#generalLimit
  }

  isIdempotent(operation: string): boolean {
    return this.#idempotent.has(operation)
  }

  describe(): GenerationInfo {
    return {
      generation: this.number,
      state: this.state,
      cause: this.cause,
      version: this.manifest.version,
      digest: this.digest,
      at: this.at.toISOString(),
      failure: this.failure,
      kept: this.snapshot !== null,
    }
  }
}

function rateOf({ maxCallsPerSecond }: ManifestLimits): CallRate | null {
  return maxCallsPerSecond === null ? null : new CallRate({ perSecond: maxCallsPerSecond })
}

function generalLimitOf({ maxExecutionTimeMs }: ManifestLimits): RunLimit {
  return { limitMs: maxExecutionTimeMs, owner: 'max_execution_time_ms' }
}

function runLimitsOf({ operations }: Manifest, general: RunLimit): ReadonlyMap<string, RunLimit> {
  return new Map(operations.map(({ name, timeoutMs }) => [name, nearerLimit(timeoutMs, general)]))
}

function nearerLimit(timeoutMs: number | null, general: RunLimit): RunLimit {
  return timeoutMs === null || timeoutMs >= general.limitMs
    ? general
    : { limitMs: timeoutMs, owner: 'operation' }
}
