import { expect } from 'chai'
import { CpuBudget } from '../../../../host/execution/cpu-budget.ts'
import type { CpuReading } from '../../../../host/monitor/cpu-meter.ts'

describe('CpuBudget', () => {
  function budgetOf(readings: (number | CpuReading | null)[], limitMs = 400) {
    const seen: { spent: number[]; waits: number[] } = { spent: [], waits: [] }
    const nowMs = performance.now()
    const budget = new CpuBudget({
      meter: {
        read: (atMs) => {
          const reading = readings.shift() ?? null
          return typeof reading === 'number' ? { usedMs: reading, atMs } : reading
        },
      },
      limitMs,
      nowMs,
      cores: 2,
      onSpent: (usedMs) => seen.spent.push(usedMs),
      again: ({ deadlineMs }) => seen.waits.push(deadlineMs - performance.now()),
    })
    return { budget, seen, firstMs: budget.deadlineMs - nowMs }
  }

  it('looks when every core together could have used it up, and then sooner and sooner', () => {
    const { budget, seen, firstMs } = budgetOf([1000, 1200, 1390, 1401])
    expect(firstMs).to.be.closeTo(200, 0.01)
    budget.expire()
    budget.expire()
    budget.expire()
    expect(seen.waits).to.have.length(2)
    expect(seen.waits[0]).to.be.within(90, 100)
    expect(seen.waits[1], 'never sooner than a tick').to.be.within(5, 10.01)
    expect(seen.spent).to.deep.equal([401])
  })

  it('counts from what the process had used before, and lets all of it be used', () => {
    const { budget, seen } = budgetOf([5000, 5400])
    budget.expire()
    expect(seen.spent).to.deep.equal([])
  })

  it('leaves a process that is gone to its exit', () => {
    const { budget, seen } = budgetOf([100, null])
    budget.expire()
    expect(seen.spent).to.deep.equal([])
    expect(seen.waits).to.have.length(1)
  })

  it('does not charge a call with what a slow meter knew before it began', () => {
    const before = { usedMs: 100, atMs: -1 }
    const { budget, seen, firstMs } = budgetOf([before, before, 5000, 5399, 5401])
    expect(firstMs, 'it asks again soon').to.be.closeTo(10, 0.01)
    for (let look = 0; look < 4; look += 1) budget.expire()
    expect(seen.waits[0]).to.be.within(5, 10.01)
    expect(seen.waits[1], 'as a call that has used nothing').to.be.within(190, 200.01)
    expect(seen.spent).to.deep.equal([401])
  })

  it('looks again as soon as all could be spent since the moment that the meter tells of', () => {
    const { firstMs } = budgetOf([{ usedMs: 1000, atMs: performance.now() + 100 }])
    expect(firstMs).to.be.closeTo(300, 5)
  })
})
