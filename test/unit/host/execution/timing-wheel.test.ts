import { expect } from 'chai'
import { TimingWheel, type WheelEntry } from '../../../../host/execution/timing-wheel.ts'

function entry(deadlineMs: number, expire: () => void): WheelEntry {
  return { deadlineMs, wheelNext: null, wheelPrevious: null, wheelSlot: -1, expire }
}

describe('TimingWheel', () => {
  it('expires each entry once, never early, whatever was removed in between', async () => {
    const wheel = new TimingWheel({ now: () => performance.now(), tickMs: 5 })
    const start = performance.now()
    const expired: { due: number; at: number }[] = []
    const entries = Array.from({ length: 500 }, (_, n) => {
      const due = start + ((n * 37) % 120)
      return entry(due, () => expired.push({ due, at: performance.now() }))
    })
    for (const one of entries) wheel.add(one)
    for (const [n, one] of entries.entries()) if (n % 3 === 0) wheel.remove(one)
    for (const [n, one] of entries.entries()) if (n % 3 === 0) wheel.remove(one)
    while (wheel.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(expired).to.have.length(entries.filter((_, n) => n % 3 !== 0).length)
    for (const { due, at } of expired) expect(at).to.be.at.least(due)
    wheel.close()
  })

  it('keeps an entry that is due rounds later than its slot comes by', async () => {
    let now = 0
    const wheel = new TimingWheel({ now: () => now, tickMs: 1 })
    let expired = 0
    wheel.add(entry(1500, () => (expired += 1)))
    for (now = 0; now < 1499; now += 499) await new Promise((resolve) => setTimeout(resolve, 3))
    now = 1498
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(expired).to.equal(0)
    now = 1501
    while (wheel.size > 0) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(expired).to.equal(1)
    wheel.close()
  })

  it('lets an expiry remove and add neighbours of its slot', async () => {
    const wheel = new TimingWheel({ now: () => performance.now(), tickMs: 2 })
    const due = performance.now() + 4
    const order: string[] = []
    const third = entry(due, () => order.push('third'))
    const second = entry(due, () => order.push('second'))
    const first = entry(due, () => {
      order.push('first')
      wheel.remove(second)
      wheel.add(entry(performance.now() + 4, () => order.push('added')))
    })
    for (const one of [third, second, first]) wheel.add(one)
    while (wheel.size > 0) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(order).to.deep.equal(['first', 'third', 'added'])
    wheel.close()
  })

  it('expires none early and none late, whenever they are added and however far off they are', async () => {
    const wheel = new TimingWheel({ now: () => performance.now(), tickMs: 1 })
    const off: number[] = []
    const started = performance.now()
    // Longer than a round of the wheel, so that slots are met by entries of other rounds.
    for (let count = 0; count < 400; count += 1) {
      const due = performance.now() + ((count * 131) % 700)
      const one = entry(due, () => {
        off.push(performance.now() - due)
      })
      wheel.add(one)
      if (count % 5 === 4) wheel.remove(one)
      if (count % 8 === 7) await new Promise((resolve) => setTimeout(resolve, 7))
    }
    while (wheel.size > 0 && performance.now() - started < 10_000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    expect(off).to.have.length(320)
    expect(Math.min(...off)).to.be.at.least(0)
    expect(Math.max(...off), 'ms late').to.be.below(300)
    wheel.close()
  })

  it('sleeps until something may be due', async () => {
    let looks = 0
    const now = (): number => {
      looks += 1
      return performance.now()
    }
    const wheel = new TimingWheel({ now, tickMs: 1 })
    for (let round = 0; round < 50; round += 1) {
      const one = entry(performance.now() + 400, () => {})
      wheel.add(one)
      if (round > 0) wheel.remove(one)
    }
    const before = looks
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(looks - before, 'looks at the clock').to.be.below(5)
    wheel.close()
  })
})
