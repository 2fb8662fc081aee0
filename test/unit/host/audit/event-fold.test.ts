import { expect } from 'chai'
import type { AuditEvent } from '../../../../host/audit/audit-log.ts'
import { EventFold } from '../../../../host/audit/event-fold.ts'

const DAY_S = 86_400
const REFUSAL: AuditEvent = {
  action: 'egress.refused',
  plugin_id: 'loud',
  outcome: 'refused',
  actor: null,
  details: {},
}
const CLIENT = { uid: 1000, gid: 1000, pid: 1, command: null, client: null, identity: 'peer credentials' }

describe('EventFold', () => {
  /** How many lines a stretch makes, and how many events they speak of. */
  function run(seconds: number, eventsOf: (second: number) => readonly AuditEvent[]) {
    const fold = new EventFold()
    let lines = 0
    let told = 0
    const take = (nowMs: number, isLast = false): void => {
      for (const { details } of fold.takeDue(nowMs, isLast)) {
        lines += 1
        told += details['folded'] as number
      }
    }
    for (let second = 0; second < seconds; second += 1) {
      for (const event of eventsOf(second)) {
        if (!fold.admits(event, second * 1_000)) continue
        lines += 1
        told += 1
      }
      take(second * 1_000 + 999)
    }
    take(seconds * 1_000, true)
    return { lines, told }
  }

  it('makes some 70 lines of a plugin that is refused each second for a day, and loses no count', () => {
    const { lines, told } = run(DAY_S, () => [REFUSAL])
    expect(lines).to.be.within(50, 100)
    expect(told).to.equal(DAY_S)
  })

  it('makes no more of one that stays just below the burst', () => {
    const events = Array.from({ length: 20 }, () => REFUSAL)
    const { lines, told } = run(DAY_S, (second) => (second % 11 === 0 ? events : []))
    expect(lines).to.be.below(100)
    expect(told).to.equal(Math.ceil(DAY_S / 11) * 20)
  })

  it('shows each of the few that a well-behaved one has', () => {
    const { lines, told } = run(3_600, (second) => (second % 60 === 0 ? [REFUSAL] : []))
    expect([lines, told]).to.deep.equal([60, 60])
  })

  it('does not let a client multiply its lines by what it says that they are about', () => {
    const { lines } = run(600, (second) =>
      Array.from({ length: 100 }, (_, at) => ({
        ...REFUSAL,
        action: 'method.denied',
        plugin_id: `p${second}-${at}`,
        actor: CLIENT,
      })),
    )
    expect(lines).to.be.below(50)
  })

  it('holds no more kinds apart than it has room for, and counts the rest together', () => {
    const { lines, told } = run(30, (second) =>
      Array.from({ length: 1_000 }, (_, at) => ({ ...REFUSAL, plugin_id: `p${second}-${at}` })),
    )
    expect(told).to.equal(30_000)
    expect(lines).to.be.below(8_000)
  })

  it('folds nothing that a person did, and nothing that the daemon did', () => {
    const fold = new EventFold()
    const act: AuditEvent = { ...REFUSAL, outcome: 'done', actor: CLIENT }
    const own: AuditEvent = { ...REFUSAL, outcome: 'done', plugin_id: null }
    for (let i = 0; i < 1_000; i += 1) {
      expect([fold.admits(act, 0), fold.admits(own, 0)]).to.deep.equal([true, true])
    }
    expect(fold.isIdle).to.equal(true)
  })
})
