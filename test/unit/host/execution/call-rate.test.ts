import { expect } from 'chai'
import { CallRate } from '../../../../host/execution/call-rate.ts'

describe('CallRate', () => {
  it('lets a tenth of a second go at once, then one after the other', () => {
    const rate = new CallRate({ perSecond: 20 })
    expect([0, 0, 0, 49, 50, 50].map((nowMs) => rate.take(nowMs))).to.deep.equal([0, 0, 50, 1, 0, 50])
  })

  it('lets one go at once where a tenth is less than one', () => {
    const slow = new CallRate({ perSecond: 0.5 })
    expect([0, 0, 1999.5, 2000].map((nowMs) => slow.take(nowMs))).to.deep.equal([0, 2000, 1, 0])
  })

  it('hands out what it says in a minute of asking as often as it allows', () => {
    for (const perSecond of [0.7, 3, 15, 100, 999, 5000]) {
      const rate = new CallRate({ perSecond })
      let calls = 0
      for (let nowMs = 0; nowMs < 60_000;) {
        const waitMs = rate.take(nowMs)
        if (waitMs === 0) calls += 1
        nowMs += waitMs
      }
      const burst = Math.max(1, perSecond / 10)
      expect(calls, `${perSecond} a second`).to.be.within(perSecond * 60 - 1, perSecond * 60 + burst + 1)
    }
  })

  it('counts nothing for who has to wait', () => {
    const rate = new CallRate({ perSecond: 10 })
    rate.take(0)
    for (let n = 0; n < 1000; n += 1) expect(rate.take(99)).to.equal(1)
    expect(rate.take(100)).to.equal(0)
  })

  it('takes a clock that goes back for one that stands still', () => {
    const rate = new CallRate({ perSecond: 10 })
    rate.take(1e6)
    expect(rate.take(0)).to.equal(100)
    expect(rate.take(1e6 + 100)).to.equal(0)
  })

  it('refuses a rate at which no call would ever go', () => {
    for (const perSecond of [0, -1, Number.NaN]) {
      expect(() => new CallRate({ perSecond }), String(perSecond)).to.throw(RangeError)
    }
  })
})
