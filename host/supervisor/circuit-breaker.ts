import type { BreakerInfo } from '../../src/contract/health.ts'

const DEFAULT_FAILURE_RATE = 0.5
const DEFAULT_MIN_CALLS = 10
const DEFAULT_WINDOW_MS = 30_000
const DEFAULT_OPEN_MS = 10_000
const MAX_OPEN_FACTOR = 8
/** The window moves on in steps of its tenth: it holds between nine and ten of them. */
const BUCKETS = 10
const NEVER_MS = Number.NEGATIVE_INFINITY

export interface BreakerOptions {
  /** Opens at this share of failures, from 0 to 1. */
  readonly failureRate?: number
  /** With fewer calls in the window it never opens. */
  readonly minCalls?: number
  readonly windowMs?: number
  /** How long it stays open the first time; each opening in a row doubles it, up to eightfold. */
  readonly openMs?: number
}

/** Leave to make one call; known by identity, so that a permit counts where it was given and while it is valid. */
export interface Permit {
  readonly isProbe: boolean
}

/** `neutral` says nothing about the operation: cancelled, or never handed out. */
export type BreakerOutcome = 'ok' | 'failure' | 'neutral'

/**
 * Refuses the calls of one operation for a while when too many failed, then lets one probe at a time try.
 *
 * Every permit must be settled, with `neutral` where its call never ran: an unsettled probe keeps all others out.
 * Settling twice, or after the breaker moved on, does nothing.
 */
export class CircuitBreaker {
  readonly #failureRate: number
  readonly #minCalls: number
  readonly #bucketMs: number
  readonly #windowMs: number
  readonly #openMs: number
  readonly #okCounts = new Uint32Array(BUCKETS)
  readonly #failureCounts = new Uint32Array(BUCKETS)
  #okTotal = 0
  #failureTotal = 0
  /** Number of the newest bucket since time 0. */
  #bucket = 0
  #isClosed = true
  #openUntilMs = 0
  #openFactor = 1
  #closedAtMs = NEVER_MS
  /** Shared by all calls between two openings, so that giving one costs nothing. */
  #callPermit: Permit = { isProbe: false }
  #probe: Permit | null = null
  #nowMs = 0

  constructor(options: BreakerOptions = {}) {
    this.#failureRate = options.failureRate ?? DEFAULT_FAILURE_RATE
    this.#minCalls = options.minCalls ?? DEFAULT_MIN_CALLS
    this.#windowMs = options.windowMs ?? DEFAULT_WINDOW_MS
    this.#bucketMs = this.#windowMs / BUCKETS
    this.#openMs = options.openMs ?? DEFAULT_OPEN_MS
  }

  /** Null: the call must not go out. */
  allow(nowMs: number): Permit | null {
    if (this.#isClosed) return this.#callPermit
    this.#advance(nowMs)
    if (this.#nowMs < this.#openUntilMs || this.#probe !== null) return null
    this.#probe = { isProbe: true }
    return this.#probe
  }

  /** Whether this outcome opened it. */
  settle(permit: Permit, outcome: BreakerOutcome, nowMs: number): boolean {
    if (permit === this.#callPermit) {
      return this.#isClosed && outcome !== 'neutral' && this.#count(outcome, nowMs)
    }
    if (permit !== this.#probe) return false
    this.#probe = null
    this.#advance(nowMs)
    if (outcome === 'ok') this.#close()
    else if (outcome === 'failure') this.#open(true)
    return outcome === 'failure'
  }

  describe(nowMs: number): Omit<BreakerInfo, 'operation'> {
    this.#advance(nowMs)
    this.#turnBuckets()
    const total = this.#okTotal + this.#failureTotal
    const retryInMs = this.#openUntilMs - this.#nowMs
    const isOpen = !this.#isClosed && retryInMs > 0
    return {
      state: this.#isClosed ? 'closed' : isOpen ? 'open' : 'half_open',
      failure_rate: total === 0 ? null : this.#failureTotal / total,
      retry_in_ms: isOpen ? retryInMs : null,
    }
  }

  /** Whether this was one failure too many. */
  #count(outcome: 'ok' | 'failure', nowMs: number): boolean {
    this.#advance(nowMs)
    this.#turnBuckets()
    const at = this.#bucket % BUCKETS
    if (outcome === 'ok') {
      this.#okCounts[at]! += 1
      this.#okTotal += 1
    } else {
      this.#failureCounts[at]! += 1
      this.#failureTotal += 1
    }
    const total = this.#okTotal + this.#failureTotal
    if (this.#failureTotal === 0 || total < this.#minCalls) return false
    if (this.#failureTotal < this.#failureRate * total) return false
    this.#open(this.#nowMs - this.#closedAtMs < this.#windowMs)
    return true
  }

  /** `again`: a probe failed, or it had closed less than a window ago. */
  #open(again: boolean): void {
    this.#openFactor = again ? Math.min(MAX_OPEN_FACTOR, this.#openFactor * 2) : 1
    this.#openUntilMs = this.#nowMs + this.#openMs * this.#openFactor
    this.#isClosed = false
  }

  #close(): void {
    this.#isClosed = true
    this.#closedAtMs = this.#nowMs
    // Calls that went out before it opened say nothing about what was mended since.
    this.#callPermit = { isProbe: false }
    this.#okCounts.fill(0)
    this.#failureCounts.fill(0)
    this.#okTotal = 0
    this.#failureTotal = 0
  }

  /** A clock that goes back is taken to stand still. */
  #advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
  }

  #turnBuckets(): void {
    const bucket = Math.floor(this.#nowMs / this.#bucketMs)
    if (bucket === this.#bucket) return
    const first = Math.max(this.#bucket + 1, bucket - BUCKETS + 1)
    for (let turned = first; turned <= bucket; turned += 1) {
      const at = turned % BUCKETS
      this.#okTotal -= this.#okCounts[at]!
      this.#failureTotal -= this.#failureCounts[at]!
      this.#okCounts[at] = 0
      this.#failureCounts[at] = 0
    }
    this.#bucket = bucket
  }
}
