import { expect } from 'chai'
import {
  RestartPolicy,
  type ProcessEnding,
  type RestartDecision,
  type RestartPolicyOptions,
} from '../../../../host/supervisor/restart-policy.ts'
import type { ExitClass } from '../../../../src/contract/life.ts'
import type { RestartPolicyName } from '../../../../src/contract/manifest.ts'

const CRASH: ProcessEnding = { class: 'crash', deterministic: false, wanted: false }
const ABNORMAL: ExitClass[] = ['crash', 'oom', 'cpu_limit', 'wall_limit', 'protocol']

/** Every delay is the longest that its step allows. */
function policyOf(options: Partial<RestartPolicyOptions> = {}): RestartPolicy {
  return new RestartPolicy({
    policy: 'transient',
    intensity: 5,
    periodMs: 60_000,
    random: () => 1 - Number.EPSILON,
    ...options,
  })
}

function ending(exitClass: ExitClass): ProcessEnding {
  return { class: exitClass, deterministic: false, wanted: false }
}

function delaysOf(decisions: readonly RestartDecision[]): (number | string)[] {
  return decisions.map((decision) => (decision.kind === 'restart' ? decision.delayMs : decision.kind))
}

describe('RestartPolicy', () => {
  it('decides by policy and class as OTP does', () => {
    const expected: Record<RestartPolicyName, [abnormal: string, normal: string]> = {
      permanent: ['restart', 'restart'],
      transient: ['restart', 'stay_down'],
      temporary: ['stay_down', 'stay_down'],
    }
    for (const [policy, [abnormal, normal]] of Object.entries(expected)) {
      const kindOf = (exitClass: ExitClass): string =>
        policyOf({ policy: policy as RestartPolicyName }).onExit(ending(exitClass), 0).kind
      for (const exitClass of ABNORMAL) expect(kindOf(exitClass), `${policy} ${exitClass}`).to.equal(abnormal)
      expect(kindOf('expected'), `${policy} expected`).to.equal(normal)
    }
  })

  it('neither counts nor restarts an end that was wanted, whatever its policy', () => {
    for (const policy of ['permanent', 'transient', 'temporary'] as const) {
      const subject = policyOf({ policy, intensity: 0 })
      for (let n = 0; n < 20; n += 1) {
        const wanted = { class: 'crash', deterministic: true, wanted: true } as const
        expect(subject.onExit(wanted, n).kind).to.equal('stay_down')
        expect(subject.onExit(ending('killed_by_operator'), n).kind).to.equal('stay_down')
        expect(subject.onExit(ending('host_shutdown'), n).kind).to.equal('stay_down')
      }
      expect(subject.mayStart(20)).to.deep.equal({ ok: true })
    }
  })

  it('restarts at once, then twice as late each time up to the maximum', () => {
    const subject = policyOf({ intensity: 100, backoffInitialMs: 250, backoffMaxMs: 3000 })
    const decisions = Array.from({ length: 8 }, (_, n) => subject.onExit(CRASH, n))
    expect(delaysOf(decisions)).to.deep.equal([0, 249, 499, 999, 1999, 2999, 2999, 2999])
    expect(decisions.map((decision) => decision.kind === 'restart' && decision.attempt)).to.deep.equal([
      1, 2, 3, 4, 5, 6, 7, 8,
    ])
  })

  it('spreads a delay over the whole of its step', () => {
    let random = 0
    const subject = policyOf({ intensity: 100, random: () => random })
    subject.onExit(CRASH, 0)
    expect(delaysOf([subject.onExit(CRASH, 0)])).to.deep.equal([0])
    random = 0.5
    expect(delaysOf([subject.onExit(CRASH, 0)])).to.deep.equal([250])
  })

  it('stays within the maximum after thousands of attempts', () => {
    const subject = policyOf({ intensity: 10_000, backoffMaxMs: 30_000 })
    for (let n = 0; n < 5000; n += 1) subject.onExit(CRASH, n)
    expect(delaysOf([subject.onExit(CRASH, 5000)])).to.deep.equal([29_999])
  })

  it('gives up with one end more than its intensity within the period, and says why', () => {
    const subject = policyOf({ intensity: 2, periodMs: 1000 })
    const decisions = [0, 400, 800].map((nowMs) => subject.onExit(CRASH, nowMs))
    expect(delaysOf(decisions)).to.deep.equal([0, 249, 'give_up'])
    const reason = 'it ended abnormally 3 times within 1000 ms, and its restart intensity is 2'
    expect(decisions[2]).to.deep.equal({ kind: 'give_up', reason })
    expect(subject.mayStart(801)).to.deep.equal({ ok: false, gaveUp: reason })
  })

  it('does not count an end that is exactly one period old', () => {
    const onBoundary = policyOf({ intensity: 1, periodMs: 1000 })
    onBoundary.onExit(CRASH, 0)
    expect(onBoundary.onExit(CRASH, 1000).kind).to.equal('restart')
    const before = policyOf({ intensity: 1, periodMs: 1000 })
    before.onExit(CRASH, 0)
    expect(before.onExit(CRASH, 999.999).kind).to.equal('give_up')
  })

  it('stays given up for ever, until it is reset', () => {
    const subject = policyOf({ intensity: 0 })
    const first = subject.onExit(CRASH, 0)
    expect(first).to.deep.include({
      reason: 'it ended abnormally once within 60000 ms, and its restart intensity is 0',
    })
    subject.onReady(1e9)
    expect(subject.onExit({ ...CRASH, wanted: true }, 2e9)).to.deep.equal(first)
    expect(subject.mayStart(3e9)).to.include({ ok: false })
    subject.reset()
    expect(subject.mayStart(3e9)).to.deep.equal({ ok: true })
  })

  it('counts anew after a reset', () => {
    const subject = policyOf({ intensity: 2 })
    for (let round = 0; round < 3; round += 1) {
      const decisions = [1, 2, 3].map((step) => subject.onExit(CRASH, round * 10 + step))
      expect(delaysOf(decisions)).to.deep.equal([0, 249, 'give_up'])
      subject.reset()
    }
  })

  it('never retries what would fail the same way again', () => {
    const subject = policyOf({ policy: 'permanent' })
    const decision = subject.onExit({ ...CRASH, deterministic: true, message: '"main.js" is missing' }, 0)
    const reason = 'it would fail the same way again: "main.js" is missing'
    expect(decision).to.deep.equal({ kind: 'give_up', reason })
    expect(subject.mayStart(1e9)).to.deep.equal({ ok: false, gaveUp: reason })
  })
})

describe('the backoff of RestartPolicy', () => {
  function secondDelay(healthyMs: number): (number | string)[] {
    const subject = policyOf({ periodMs: 1, resetAfterMs: 60_000 })
    subject.onExit(CRASH, 0)
    subject.onReady(100)
    return delaysOf([subject.onExit(CRASH, 100 + healthyMs)])
  }

  it('begins again with a crash exactly at the reset boundary, and not a moment before', () => {
    expect(secondDelay(60_000)).to.deep.equal([0])
    expect(secondDelay(59_999.9)).to.deep.equal([249])
  })

  it('does not begin again for a start that took long and failed', () => {
    const subject = policyOf({ periodMs: 1, resetAfterMs: 60_000 })
    const delays = delaysOf([0, 100_000, 200_000].map((nowMs) => subject.onExit(CRASH, nowMs)))
    expect(delays).to.deep.equal([0, 249, 499])
  })

  it('counts health from the first ready after an abnormal end, over wanted ends', () => {
    const subject = policyOf({ periodMs: 1, resetAfterMs: 60_000 })
    subject.onExit(CRASH, 0)
    subject.onReady(0)
    subject.onExit({ ...CRASH, wanted: true }, 30_000)
    subject.onReady(59_000)
    expect(delaysOf([subject.onExit(CRASH, 60_000)])).to.deep.equal([0])
  })

  it('makes a call that comes in between wait, to the millisecond', () => {
    const subject = policyOf()
    subject.onExit(CRASH, 0)
    expect(subject.mayStart(0)).to.deep.equal({ ok: true })
    subject.onExit(CRASH, 10)
    expect(subject.mayStart(10)).to.deep.equal({ ok: false, waitMs: 249 })
    expect(subject.mayStart(258)).to.deep.equal({ ok: false, waitMs: 1 })
    expect(subject.mayStart(259)).to.deep.equal({ ok: true })
  })

  it('holds for a temporary plugin that calls start again and again, and so does its intensity', () => {
    const subject = policyOf({ policy: 'temporary', intensity: 2 })
    expect(subject.onExit(CRASH, 0).kind).to.equal('stay_down')
    expect(subject.mayStart(0)).to.deep.equal({ ok: true })
    expect(subject.onExit(CRASH, 1).kind).to.equal('stay_down')
    expect(subject.mayStart(1)).to.deep.equal({ ok: false, waitMs: 249 })
    expect(subject.onExit(CRASH, 2).kind).to.equal('give_up')
    expect(subject.mayStart(1e9)).to.include({ ok: false })
  })

  it('takes a clock that goes back for one that stands still', () => {
    const subject = policyOf({ intensity: 2, periodMs: 1000 })
    subject.onExit(CRASH, 5000)
    subject.onExit(CRASH, 5000)
    expect(subject.mayStart(-1e9)).to.deep.equal({ ok: false, waitMs: 249 })
    expect(subject.onExit(CRASH, 0).kind).to.equal('give_up')
  })
})
