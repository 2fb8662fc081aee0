import { expect } from 'chai'
import { sampleOf } from '../../../../host/control/describe-plugin.ts'
import { ProcessSampler } from '../../../../host/monitor/process-sampler.ts'

describe('sampleOf()', () => {
  const sampler = new ProcessSampler(process.pid)
  after(() => sampler.close())

  it('looks at a process again only where something may have changed, or the last look is old', () => {
    const seen = sampler.refresh(1000)
    const instance = { figures: { sampler }, inFlightCount: 0, lastCallAtMs: 900 }
    expect(sampleOf(instance, 1400)).to.equal(seen)
    for (const [changed, nowMs] of [
      [{ lastCallAtMs: 1100 }, 1400],
      [{ inFlightCount: 1 }, 1500],
      [{}, 5000],
    ] as const) {
      const sample = sampleOf({ ...instance, ...changed }, nowMs)
      expect(sample?.atMs, JSON.stringify(changed)).to.equal(nowMs)
      sampler.refresh(1000)
    }
    expect(sampleOf({ ...instance, figures: { sampler: null } }, 1400)).to.equal(null)
  })
})
