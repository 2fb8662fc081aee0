import type { ExitClass } from '../../src/contract/life.ts'
import type { RestartPolicyName } from '../../src/contract/manifest.ts'

const DEFAULT_BACKOFF_INITIAL_MS = 250
const DEFAULT_BACKOFF_MAX_MS = 30_000
const DEFAULT_RESET_AFTER_MS = 60_000
/** 2 to this power times any initial backoff is past every maximum; beyond it numbers would run to Infinity. */
const MAX_DOUBLINGS = 40

/** What is nobody's fault: the host or an operator wanted it, whatever else is said about that end. */
const WANTED: ReadonlySet<ExitClass> = new Set<ExitClass>(['killed_by_operator', 'host_shutdown'])

export interface BackoffOptions {
  readonly backoffInitialMs?: number
  readonly backoffMaxMs?: number
  /** So long without an abnormal end after it was ready, and the next one is a first one again. */
  readonly resetAfterMs?: number
}

export interface RestartPolicyOptions extends BackoffOptions {
  readonly policy: RestartPolicyName
  /** More abnormal ends than this within `periodMs`, and the plugin is given up. 0: the first one gives it up. */
  readonly intensity: number
  readonly periodMs: number
  /** From 0 up to, not including, 1. */
  readonly random: () => number
}

/** How a process, or the attempt to start one, ended. */
export interface ProcessEnding {
  readonly class: ExitClass
  /** It would fail again the same way: manifest, entry point, permission, refused configuration. */
  readonly deterministic: boolean
  /** Idle stop, reload, shutdown, an operator: we ended it. */
  readonly wanted: boolean
  /** What it said, for the reason of a deterministic failure. */
  readonly message?: string
}

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'stay_down'; readonly reason: string }
  | { readonly kind: 'give_up'; readonly reason: string }

export type StartPermission =
  | { readonly ok: true }
  | { readonly ok: false; readonly waitMs: number }
  | { readonly ok: false; readonly gaveUp: string }

/**
 * Whether and when a plugin's processes are started again, in the words of OTP's supervisors
 * (https://www.erlang.org/doc/apps/stdlib/supervisor.html); one for all processes of one plugin and generation.
 * The backoff is exponential with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), the first restart is at once.
 *
 * Boundaries: an end exactly `periodMs` old no longer counts; one exactly `resetAfterMs` after ready is a first
 * one. A clock that goes back is taken to stand still.
 */
export class RestartPolicy {
  readonly #policy: RestartPolicyName
  readonly #intensity: number
  readonly #periodMs: number
  readonly #random: () => number
  readonly #backoffInitialMs: number
  readonly #backoffMaxMs: number
  readonly #resetAfterMs: number
  /** Times of the counted ends that may still matter, oldest first; never more than `intensity`. */
  #endsMs: number[] = []
  #attempt = 0
  /** When a process first became ready after the last abnormal end. A wanted end in between changes nothing. */
  #healthySinceMs: number | null = null
  #notBeforeMs = 0
  #gaveUp: string | null = null
  #nowMs = 0

  constructor(options: RestartPolicyOptions) {
    this.#policy = options.policy
    this.#intensity = options.intensity
    this.#periodMs = options.periodMs
    this.#random = options.random
    this.#backoffInitialMs = options.backoffInitialMs ?? DEFAULT_BACKOFF_INITIAL_MS
    this.#backoffMaxMs = options.backoffMaxMs ?? DEFAULT_BACKOFF_MAX_MS
    this.#resetAfterMs = options.resetAfterMs ?? DEFAULT_RESET_AFTER_MS
  }

  onReady(nowMs: number): void {
    this.#advance(nowMs)
    this.#healthySinceMs ??= this.#nowMs
  }

  onExit(ending: ProcessEnding, nowMs: number): RestartDecision {
    this.#advance(nowMs)
    if (this.#gaveUp !== null) return { kind: 'give_up', reason: this.#gaveUp }
    if (ending.wanted || WANTED.has(ending.class)) {
      return { kind: 'stay_down', reason: 'its end was wanted' }
    }
    if (ending.deterministic) return this.#giveUp(describeDeterministic(ending.message))
    // A permanent plugin that ends by itself comes back each time, so that its normal ends count as well.
    if (ending.class === 'expected' && this.#policy !== 'permanent') {
      return { kind: 'stay_down', reason: 'it ended normally; the next call starts it' }
    }
    if (!this.#countEnd()) return this.#giveUp(this.#describeIntensity())
    const delayMs = this.#nextDelayMs()
    this.#notBeforeMs = this.#nowMs + delayMs
    if (this.#policy === 'temporary') {
      return { kind: 'stay_down', reason: 'its restart policy is "temporary"; the next call starts it' }
    }
    return { kind: 'restart', delayMs, attempt: this.#attempt }
  }

  /** Whether a process may be started now: a call that comes during a backoff waits for its end. */
  mayStart(nowMs: number): StartPermission {
    this.#advance(nowMs)
    if (this.#gaveUp !== null) return { ok: false, gaveUp: this.#gaveUp }
    const waitMs = this.#notBeforeMs - this.#nowMs
    return waitMs > 0 ? { ok: false, waitMs } : { ok: true }
  }

  /** An operator's reset, or changed files: everything is counted anew. */
  reset(): void {
    this.#endsMs = []
    this.#attempt = 0
    this.#healthySinceMs = null
    this.#notBeforeMs = 0
    this.#gaveUp = null
  }

  #advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
  }

  /** False where this end is one too many. */
  #countEnd(): boolean {
    const ends = this.#endsMs
    while (ends.length > 0 && this.#nowMs - ends[0]! >= this.#periodMs) ends.shift()
    if (ends.length >= this.#intensity) return false
    ends.push(this.#nowMs)
    return true
  }

  #nextDelayMs(): number {
    const healthySinceMs = this.#healthySinceMs
    this.#healthySinceMs = null
    if (healthySinceMs !== null && this.#nowMs - healthySinceMs >= this.#resetAfterMs) this.#attempt = 0
    this.#attempt += 1
    if (this.#attempt === 1) return 0
    const doublings = Math.min(this.#attempt - 2, MAX_DOUBLINGS)
    const ceilingMs = Math.min(this.#backoffMaxMs, this.#backoffInitialMs * 2 ** doublings)
    return Math.floor(this.#random() * ceilingMs)
  }

  #giveUp(reason: string): RestartDecision {
    this.#gaveUp = reason
    return { kind: 'give_up', reason }
  }

  #describeIntensity(): string {
    const ends = this.#intensity + 1
    const times = ends === 1 ? 'once' : `${ends} times`
    return `it ended abnormally ${times} within ${this.#periodMs} ms, and its restart intensity is ${this.#intensity}`
  }
}

function describeDeterministic(message: string | undefined): string {
  const what = 'it would fail the same way again'
  return message === undefined ? what : `${what}: ${message}`
}
