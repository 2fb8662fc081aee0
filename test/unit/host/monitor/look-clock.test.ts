import { expect } from 'chai'
import { LookClock } from '../../../../host/monitor/look-clock.ts'

describe('LookClock', () => {
  /** A timer is late by a little, never early by much. */
  const LATE_MS = 0.7

  function ticksOf(clock: LookClock, fromMs: number, count: number): number[] {
    return Array.from({ length: count }, (_, at) => {
      const nowMs = fromMs + at * (50 + LATE_MS)
      clock.tick(nowMs)
      return nowMs
    })
  }

  it('looks four times a second however late its timer is, and never later than that', () => {
    const clock = new LookClock()
    const looks: number[] = []
    clock.every(250, (nowMs) => looks.push(nowMs))
    const ticks = ticksOf(clock, 100_000, 2_000)
    const seconds = (ticks.at(-1)! - ticks[0]!) / 1000
    expect(looks.length / seconds).to.be.closeTo(4, 0.05)
    const gaps = looks.slice(1).map((atMs, at) => atMs - looks[at]!)
    expect(Math.max(...gaps)).to.be.below(250 + 5 * LATE_MS + 0.001)
  })

  it('looks in one turn for all that are due, in their order', () => {
    const clock = new LookClock()
    const turns = new Map<number, string[]>()
    for (const [name, periodMs] of [
      ['seldom', 2_000],
      ['busy', 250],
      ['tick', 50],
    ] as const)
      clock.every(periodMs, (nowMs) => turns.set(nowMs, [...(turns.get(nowMs) ?? []), name]))
    ticksOf(clock, 100_000, 400)
    const kinds = new Set([...turns.values()].map((names) => names.join(' ')))
    expect([...kinds]).to.have.members(['seldom busy tick', 'busy tick', 'tick'])
  })

  it('leaves half of the time to others where looks take longer than there is time', () => {
    const clock = new LookClock()
    const LOOK_MS = 30
    let looks = 0
    clock.every(50, () => {
      looks += 1
      const endMs = performance.now() + LOOK_MS
      while (performance.now() < endMs);
    })
    clock.tick(100_000)
    clock.tick(100_050)
    expect(looks, 'its looks are over, and so is their pause').to.equal(1)
    clock.tick(100_100)
    expect(looks).to.equal(2)
  })

  it('ends a look that nobody wants any more', () => {
    const clock = new LookClock()
    let looks = 0
    const stop = clock.every(50, () => (looks += 1))
    clock.tick(100_000)
    stop()
    clock.tick(100_050)
    expect(looks).to.equal(1)
  })
})
