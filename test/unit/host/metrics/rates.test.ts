import { expect } from 'chai'
import { Admission } from '../../../../host/metrics/admission.ts'
import { RollingCount } from '../../../../host/metrics/rolling-count.ts'

describe('RollingCount', () => {
  it('counts what lies in the window, to a twelfth of it', () => {
    const count = new RollingCount(60_000)
    const times: number[] = []
    for (let nowMs = 5_000_000; nowMs < 5_400_000; nowMs += 137) {
      count.add(nowMs)
      times.push(nowMs)
      const inFullWindow = times.filter((ms) => ms > nowMs - 60_000).length
      const inSlots = times.filter((ms) => ms > nowMs - 55_000).length
      expect(count.count(nowMs)).to.be.within(inSlots - 1, inFullWindow + 1)
    }
  })

  it('forgets all of it after a pause as long as the window', () => {
    const count = new RollingCount(60_000)
    for (let n = 0; n < 10; n += 1) count.add(1000 * n)
    expect(count.count(9000)).to.equal(10)
    expect(count.count(69_000)).to.equal(0)
    count.add(1e9)
    expect(count.count(1e9)).to.equal(1)
  })

  it('counts an event whose time is a little older than the newest', () => {
    const count = new RollingCount(60_000)
    count.add(100_000)
    count.add(99_000)
    expect(count.count(100_000)).to.equal(2)
  })
})

describe('Admission', () => {
  /** Evenly over each second; answers how many were let in, second by second. */
  function run(admission: Admission, ratePerSecond: readonly number[]): number[] {
    return ratePerSecond.map((rate, second) => {
      const admitted = Array.from({ length: rate }, (_, n) => admission.admits((second + n / rate) * 1000))
      return admitted.filter(Boolean).length
    })
  }

  it('lets all in up to its rate', () => {
    const admission = new Admission(2000)
    expect(run(admission, [2000, 1999, 2000, 5])).to.eql([2000, 1999, 2000, 5])
    expect(admission.thinned).to.equal(0)
  })

  it('lets its rate in and no more, and counts the rest', () => {
    const admission = new Admission(2000)
    const kept = run(admission, [75_000, 75_000, 2100, 100])
    expect(kept[0]).to.equal(2000)
    expect(kept[1]).to.be.within(1999, 2000)
    expect(kept[3]).to.be.within(94, 100)
    expect(admission.thinned).to.equal(75_000 + 75_000 + 2100 + 100 - kept.reduce((sum, n) => sum + n, 0))
  })

  it('spreads them over the second once it knows the rate', () => {
    const admission = new Admission(100)
    run(admission, [10_000])
    const kept = Array.from({ length: 10_000 }, (_, n) => n).filter((n) => admission.admits(1000 + n / 10))
    expect(kept).to.have.length(100)
    for (const [n, position] of kept.entries()) expect(position).to.be.closeTo(100 * (n + 1), 2)
  })

  it('goes on after a clock that was set back', () => {
    const admission = new Admission(10)
    for (let n = 0; n < 50; n += 1) admission.admits(9_000_000)
    expect(admission.admits(1000)).to.equal(true)
  })
})
