import {
  CircuitBreaker,
  type BreakerOutcome,
  type Permit,
} from '../../../../host/supervisor/circuit-breaker.ts'
import { forSeeds, holds, type SeededRandom } from './seeded-random.ts'

const SEQUENCES = 30_000
const EVENTS_PER_SEQUENCE = 40
const WINDOW_MS = 1000
const BUCKET_MS = WINDOW_MS / 10
const OPEN_MS = 300
const MIN_CALLS = 4
const STEPS_MS = [0, 0, 0, 1, 20, BUCKET_MS, OPEN_MS - 1, OPEN_MS, WINDOW_MS, 8 * OPEN_MS, -1, -500]
const OUTCOMES: BreakerOutcome[] = ['ok', 'failure', 'failure', 'failure', 'neutral']

/** One breaker, and beside it all that was ever counted. */
class BreakerRun {
  readonly random: SeededRandom
  readonly rate: number
  readonly breaker: CircuitBreaker
  clockMs = 10_000
  nowMs = 0
  /** Permits that are out, with the number of closings before each. */
  out: { permit: Permit; era: number }[] = []
  era = 0
  probe: Permit | null = null
  openUntilMs: number | null = null
  factor = 1
  closedAtMs = -Infinity
  counted: { bucket: number; isFailure: boolean }[] = []
  openings = 0

  constructor(random: SeededRandom) {
    this.random = random
    this.rate = random.pick([0.01, 0.5, 0.75, 1])
    const options = { failureRate: this.rate, minCalls: MIN_CALLS, windowMs: WINDOW_MS, openMs: OPEN_MS }
    this.breaker = new CircuitBreaker(options)
  }

  step(): void {
    this.clockMs += this.random.pick(STEPS_MS)
    this.nowMs = Math.max(this.nowMs, this.clockMs)
    this.checkDescription()
    if (this.random.chance(0.5)) this.ask()
    else this.settle()
  }

  checkDescription(): void {
    const info = this.breaker.describe(this.clockMs)
    const openMs = this.openUntilMs === null ? null : this.openUntilMs - this.nowMs
    const expected = openMs === null ? 'closed' : openMs > 0 ? 'open' : 'half_open'
    holds(info.state === expected, `it is ${expected} and not ${info.state}`)
    holds(info.retry_in_ms === (expected === 'open' ? openMs : null), 'it says when it lets the next one try')
    const { rate } = this.window()
    holds(info.failure_rate === rate, `its failure rate is ${rate} and not ${info.failure_rate}`)
  }

  ask(): void {
    const permit = this.breaker.allow(this.clockMs)
    if (this.openUntilMs === null) holds(permit?.isProbe === false, 'a closed one lets every call through')
    else if (this.nowMs < this.openUntilMs) holds(permit === null, 'an open one lets nothing through')
    else if (this.probe !== null) holds(permit === null, 'there is one probe at most')
    else holds(permit?.isProbe === true, 'a half-open one lets a probe through')
    if (permit === null) return
    if (permit.isProbe) this.probe = permit
    this.out.push({ permit, era: this.era })
  }

  settle(): void {
    if (this.out.length === 0) return
    const index = this.random.below(this.out.length)
    const { permit, era } = this.out[index]!
    // Now and then it is settled again later: that must change nothing.
    if (!permit.isProbe || this.random.chance(0.7)) this.out.splice(index, 1)
    const outcome = this.random.pick(OUTCOMES)
    const hasOpened = this.breaker.settle(permit, outcome, this.clockMs)
    const mustOpen = permit.isProbe ? this.probed(permit, outcome) : this.called(era, outcome)
    holds(hasOpened === mustOpen, `it ${mustOpen ? 'opens' : 'does not open'} by that outcome`)
  }

  probed(permit: Permit, outcome: BreakerOutcome): boolean {
    if (permit !== this.probe) return false
    this.probe = null
    if (outcome === 'ok') {
      this.openUntilMs = null
      this.closedAtMs = this.nowMs
      this.counted = []
      this.era += 1
    }
    if (outcome === 'failure') this.open(true)
    return outcome === 'failure'
  }

  called(era: number, outcome: BreakerOutcome): boolean {
    if (era !== this.era || this.openUntilMs !== null || outcome === 'neutral') return false
    this.counted.push({ bucket: Math.floor(this.nowMs / BUCKET_MS), isFailure: outcome === 'failure' })
    const { total, failures } = this.window()
    if (total < MIN_CALLS || failures === 0 || failures / total < this.rate) return false
    this.open(this.nowMs - this.closedAtMs < WINDOW_MS)
    return true
  }

  open(again: boolean): void {
    this.factor = again ? Math.min(8, this.factor * 2) : 1
    this.openUntilMs = this.nowMs + OPEN_MS * this.factor
    this.openings += 1
  }

  window(): { total: number; failures: number; rate: number | null } {
    const bucket = Math.floor(this.nowMs / BUCKET_MS)
    const inside = this.counted.filter((call) => call.bucket > bucket - 10)
    const failures = inside.filter((call) => call.isFailure).length
    return { total: inside.length, failures, rate: inside.length === 0 ? null : failures / inside.length }
  }
}

describe('the laws of breaking', () => {
  it(`hold over ${SEQUENCES} random lives of a breaker`, () => {
    let openings = 0
    let closings = 0
    forSeeds(SEQUENCES, (random) => {
      const run = new BreakerRun(random)
      for (let n = 0; n < EVENTS_PER_SEQUENCE; n += 1) run.step()
      openings += run.openings
      closings += run.era
    })
    // Laws that nothing was tried on would hold as well.
    holds(openings > SEQUENCES / 2 && closings > SEQUENCES / 20, 'the sequences open and close breakers')
  })
})
