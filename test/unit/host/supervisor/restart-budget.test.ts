import { expect } from 'chai'
import { RestartBudget } from '../../../../host/supervisor/restart-budget.ts'
import { forSeeds, holds } from './seeded-random.ts'

describe('RestartBudget', () => {
  it('lets as many start at once as its intensity says, and gives each after them a time of its own', () => {
    const budget = new RestartBudget({ intensity: 3, periodMs: 3000 })
    expect([0, 0, 0, 0, 0, 500, 3000].map((nowMs) => budget.take(nowMs))).to.deep.equal([
      0, 0, 0, 1000, 2000, 2500, 1000,
    ])
  })

  it('refuses nobody for good: a hundred that fall together are all up again in time', () => {
    const budget = new RestartBudget({ intensity: 10, periodMs: 1000 })
    const delays = Array.from({ length: 100 }, () => budget.take(5))
    expect(delays.slice(0, 12)).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200])
    expect(delays.at(-1)).to.equal(9000)
  })

  it('fills up again to its intensity and no further', () => {
    const budget = new RestartBudget({ intensity: 2, periodMs: 1000 })
    const delays = [0, 0, 0, 1e7, 1e7, 1e7].map((nowMs) => budget.take(nowMs))
    expect(delays).to.deep.equal([0, 0, 500, 0, 0, 500])
  })

  it('keeps its rate over random asks and steps back in time, and delays no more than that takes', () => {
    forSeeds(2000, (random) => {
      const intensity = 1 + random.below(20)
      const periodMs = 10 + random.below(10_000)
      const budget = new RestartBudget({ intensity, periodMs })
      const startsMs: number[] = []
      let clockMs = 1000
      let nowMs = 1000
      for (let n = 0; n < 100; n += 1) {
        const delayMs = budget.take(clockMs)
        const startMs = nowMs + delayMs
        holds(delayMs >= 0 && Number.isInteger(delayMs), 'a delay is a number of milliseconds')
        holds(startMs >= (startsMs.at(-1) ?? 0) - 1, 'who asks first starts first')
        // Whole milliseconds: each start may be one later than its time, and so that much nearer to the next.
        const pastMs = startMs - (startsMs.at(-intensity) ?? -Infinity)
        const intervalMs = periodMs / intensity
        holds(pastMs >= intervalMs - 1, 'one starts for each interval once the burst is spent')
        holds(delayMs <= Math.ceil((n + 1) * intervalMs), 'everybody starts in time')
        startsMs.push(startMs)
        clockMs += random.chance(0.1) ? -random.next() * periodMs : (random.next() * 2 * periodMs) / intensity
        nowMs = Math.max(nowMs, clockMs)
      }
      // A token bucket: its intensity at once, and one for each interval of the time since.
      for (const [from, fromMs] of startsMs.entries()) {
        const withinMs = startsMs.at(-1)! - fromMs
        const most = intensity + ((withinMs + 1) * intensity) / periodMs + 1e-3
        holds(startsMs.length - from <= most, 'no span of time sees more than the budget')
      }
    })
  })

  it('refuses an intensity that would never grant anything', () => {
    for (const intensity of [0, -1, 0.5, Number.NaN]) {
      expect(() => new RestartBudget({ intensity, periodMs: 1000 }), String(intensity)).to.throw(RangeError)
    }
  })
})
