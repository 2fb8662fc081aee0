import { expect } from 'chai'
import { LineRate } from '../../../../host/observe/line-rate.ts'

describe('LineRate', () => {
  it('lets a burst of 2,000 pass, then 1,000 a second, and counts the others once', () => {
    const rate = new LineRate(0)
    const admitted = (nowMs: number, lines: number) =>
      Array.from({ length: lines }, () => rate.admits(nowMs)).filter(Boolean).length
    expect(admitted(0, 5000)).to.equal(2000)
    expect(rate.takeDropped()).to.equal(3000)
    expect(rate.takeDropped()).to.equal(0)
    expect(admitted(500, 5000)).to.equal(500)
    expect(admitted(100_000, 5000)).to.equal(2000)
  })

  it('earns nothing by a clock that goes back', () => {
    const rate = new LineRate(10_000)
    for (let i = 0; i < 2000; i += 1) rate.admits(10_000)
    expect(rate.admits(0)).to.equal(false)
  })
})
