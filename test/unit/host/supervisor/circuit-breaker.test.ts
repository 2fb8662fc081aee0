import { expect } from 'chai'
import { CircuitBreaker, type Permit } from '../../../../host/supervisor/circuit-breaker.ts'

function settleMany(breaker: CircuitBreaker, outcomes: string, nowMs: number): boolean[] {
  return Array.from(outcomes, (outcome) => breaker.settle(allowed(breaker, nowMs), outcomeOf(outcome), nowMs))
}

function outcomeOf(letter: string): 'ok' | 'failure' | 'neutral' {
  return letter === '+' ? 'ok' : letter === '-' ? 'failure' : 'neutral'
}

function allowed(breaker: CircuitBreaker, nowMs: number): Permit {
  const permit = breaker.allow(nowMs)
  if (permit === null) throw new Error(`The breaker lets nothing through at ${nowMs}`)
  return permit
}

function openBreaker(): CircuitBreaker {
  const breaker = new CircuitBreaker()
  settleMany(breaker, '----------', 0)
  return breaker
}

describe('CircuitBreaker', () => {
  it('opens at half of ten calls, whichever came last', () => {
    expect(settleMany(new CircuitBreaker(), '+++++-----', 0)).to.deep.equal([...Array(9).fill(false), true])
    expect(settleMany(new CircuitBreaker(), '-----+++++', 0)).to.deep.equal([...Array(9).fill(false), true])
  })

  it('stays closed below the rate, and with too few calls', () => {
    expect(settleMany(new CircuitBreaker(), '++++++----', 0)).to.not.include(true)
    expect(settleMany(new CircuitBreaker(), '---------', 0)).to.not.include(true)
  })

  it('does not learn from neutral outcomes', () => {
    const breaker = new CircuitBreaker()
    expect(settleMany(breaker, '---------oooooooooo', 0)).to.not.include(true)
    expect(breaker.describe(0)).to.deep.equal({ state: 'closed', failure_rate: 1, retry_in_ms: null })
  })

  it('forgets what left its window', () => {
    const breaker = new CircuitBreaker({ windowMs: 30_000 })
    settleMany(breaker, '-----', 0)
    settleMany(breaker, '++++', 15_000)
    expect(breaker.describe(29_999).failure_rate).to.equal(5 / 9)
    expect(breaker.describe(30_000).failure_rate).to.equal(0)
    expect(breaker.describe(1e9).failure_rate).to.equal(null)
  })

  it('refuses until its time is over, then lets one probe at a time try', () => {
    const breaker = openBreaker()
    expect(breaker.describe(0)).to.deep.equal({ state: 'open', failure_rate: 1, retry_in_ms: 10_000 })
    expect(breaker.allow(9999.9)).to.equal(null)
    expect(breaker.describe(10_000)).to.deep.include({ state: 'half_open', retry_in_ms: null })
    const probe = allowed(breaker, 10_000)
    expect(probe.isProbe).to.equal(true)
    expect(breaker.allow(20_000)).to.equal(null)
    breaker.settle(probe, 'neutral', 20_000)
    expect(allowed(breaker, 20_000)).to.include({ isProbe: true })
  })

  it('closes with a probe that succeeds, and starts counting from nothing', () => {
    const breaker = openBreaker()
    breaker.settle(allowed(breaker, 10_000), 'ok', 10_001)
    expect(breaker.describe(10_001)).to.deep.equal({ state: 'closed', failure_rate: null, retry_in_ms: null })
    expect(settleMany(breaker, '---------', 10_002)).to.not.include(true)
  })

  it('stays open twice as long with each probe that fails, up to eight times', () => {
    const breaker = openBreaker()
    const openings: (number | null)[] = []
    for (let nowMs = 10_000; openings.length < 5; nowMs += openings.at(-1)!) {
      expect(breaker.settle(allowed(breaker, nowMs), 'failure', nowMs)).to.equal(true)
      openings.push(breaker.describe(nowMs).retry_in_ms)
    }
    expect(openings).to.deep.equal([20_000, 40_000, 80_000, 80_000, 80_000])
  })

  it('doubles for an operation that flaps, and not for one that was well for a whole window', () => {
    const reopened = (afterMs: number): number | null => {
      const breaker = openBreaker()
      breaker.settle(allowed(breaker, 10_000), 'ok', 10_000)
      settleMany(breaker, '----------', 10_000 + afterMs)
      return breaker.describe(10_000 + afterMs).retry_in_ms
    }
    expect(reopened(29_999)).to.equal(20_000)
    expect(reopened(30_000)).to.equal(10_000)
  })

  it('hears nothing of permits that are late, settled already or of another breaker', () => {
    const breaker = new CircuitBreaker()
    const late = Array.from({ length: 10 }, () => allowed(breaker, 0))
    settleMany(breaker, '----------', 0)
    const probe = allowed(breaker, 10_000)
    for (const permit of late) expect(breaker.settle(permit, 'ok', 10_000)).to.equal(false)
    expect(breaker.allow(10_000)).to.equal(null)
    breaker.settle(probe, 'ok', 10_001)
    for (const permit of [...late, probe, probe]) breaker.settle(permit, 'failure', 10_002)
    const strangers = Array.from({ length: 10 }, () => allowed(new CircuitBreaker(), 0))
    for (const permit of strangers) breaker.settle(permit, 'failure', 10_002)
    expect(breaker.describe(10_002)).to.deep.equal({ state: 'closed', failure_rate: null, retry_in_ms: null })
  })

  it('does not take a second settling of a probe for the next probe', () => {
    const breaker = openBreaker()
    const first = allowed(breaker, 10_000)
    breaker.settle(first, 'neutral', 10_000)
    allowed(breaker, 10_000)
    breaker.settle(first, 'ok', 10_000)
    expect(breaker.describe(10_000).state).to.equal('half_open')
    expect(breaker.allow(10_000)).to.equal(null)
  })

  it('takes a clock that goes back for one that stands still', () => {
    const breaker = new CircuitBreaker()
    settleMany(breaker, '-----', 50_000)
    settleMany(breaker, '-----', 0)
    expect(breaker.describe(-1e9)).to.deep.equal({ state: 'open', failure_rate: 1, retry_in_ms: 10_000 })
  })
})
