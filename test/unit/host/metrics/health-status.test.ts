import { expect } from 'chai'
import { judgeHealth, type HealthFacts } from '../../../../host/metrics/health-status.ts'

function judge(change: Partial<HealthFacts> = {}) {
  return judgeHealth({
    state: 'enabled',
    stateReason: null,
    isObserving: false,
    instances: 1,
    breakers: [],
    recent: { calls: 1000, errors: 0 },
    recentRestarts: 0,
    queue: { waiting: 0, limit: 100 },
    reported: [],
    ...change,
  })
}

function reporting(health: unknown) {
  return judge({ reported: [{ workspace: '/home/user/one', health, problem: null }] })
}

describe('judgeHealth()', () => {
  it('is healthy with nothing against it, and idle where no process runs', () => {
    expect(judge()).to.eql({ status: 'healthy', reasons: [] })
    expect(judge({ instances: 0 })).to.eql({ status: 'idle', reasons: [] })
  })

  for (const state of ['failed', 'invalid', 'blocked', 'quarantined'] as const) {
    it(`calls a plugin that is ${state} unhealthy, and says why`, () => {
      expect(judge({ state, stateReason: 'because', instances: 0 })).to.eql({
        status: 'unhealthy',
        reasons: [`it is ${state}: because`],
      })
      expect(judge({ state }).reasons).to.eql([`it is ${state}`])
    })
  }

  for (const state of ['discovered', 'validated'] as const) {
    it(`does not know of a plugin that is ${state}`, () => {
      expect(judge({ state, instances: 0 })).to.eql({ status: 'unknown', reasons: [] })
    })
  }

  it('is degraded while a circuit is open or being tried', () => {
    const open = { operation: 'a', state: 'open', failure_rate: 1, retry_in_ms: 4200 } as const
    const tried = { operation: 'b', state: 'half_open', failure_rate: 0.6, retry_in_ms: null } as const
    const closed = { operation: 'c', state: 'closed', failure_rate: 0.1, retry_in_ms: null } as const
    const { status, reasons } = judge({ breakers: [open, tried, closed] })
    expect(status).to.equal('degraded')
    expect(reasons).to.eql([
      'the circuit of operation "a" is open, the next try is in 5 s',
      'the circuit of operation "b" is trying whether calls succeed again',
    ])
  })

  for (const [calls, errors, expected] of [
    [9, 9, 'healthy'],
    [10, 0, 'healthy'],
    [100, 9, 'healthy'],
    [10, 1, 'degraded'],
    [100, 49, 'degraded'],
    [10, 5, 'unhealthy'],
    [1000, 1000, 'unhealthy'],
  ] as const) {
    it(`is ${expected} with ${errors} errors in ${calls} calls of the last minute`, () => {
      const { status, reasons } = judge({ recent: { calls, errors } })
      expect(status).to.equal(expected)
      expect(reasons.join()).to.equal(
        expected === 'healthy' ? '' : `${errors} of ${calls} calls of the last minute went wrong`,
      )
    })
  }

  it('is degraded after a restart, also while no process runs', () => {
    expect(judge({ recentRestarts: 1 }).reasons).to.eql(['it was restarted once in the last five minutes'])
    expect(judge({ recentRestarts: 3, instances: 0 })).to.eql({
      status: 'degraded',
      reasons: ['it was restarted 3 times in the last five minutes'],
    })
  })

  it('is degraded with a queue that is more than four fifths full', () => {
    expect(judge({ queue: { waiting: 80, limit: 100 } }).status).to.equal('healthy')
    expect(judge({ queue: { waiting: 81, limit: 100 } })).to.eql({
      status: 'degraded',
      reasons: ['81 calls wait in a queue that takes 100'],
    })
  })

  it('believes what the plugin says against itself', () => {
    expect(reporting({ status: 'degraded', message: 'slow disk' })).to.eql({
      status: 'degraded',
      reasons: ['its own health() in "/home/user/one" says degraded: "slow disk"'],
    })
    for (const health of [{ status: 'unhealthy' }, { healthy: false }, { ok: false, status: 'degraded' }]) {
      expect(reporting(health).status, JSON.stringify(health)).to.equal('unhealthy')
    }
  })

  it('takes anything from health(), and shows none of it raw', () => {
    const fine = [
      null,
      undefined,
      7,
      'unhealthy',
      [],
      {},
      { status: 'ok' },
      { healthy: 'no' },
      { status: {} },
    ]
    for (const health of fine) expect(reporting(health).status, JSON.stringify(health)).to.equal('healthy')
    const [reason] = reporting({ ok: false, message: `\u001b[2J${'x'.repeat(9000)}` }).reasons
    expect(reason).to.contain('\\u001b[2J').and.not.to.contain('\u001b')
    expect(reason!.length).to.be.below(200)
    expect(reporting({ ok: false, message: { toString: 1 } }).status).to.equal('unhealthy')
  })

  it('names every reason, and is as bad as the worst', () => {
    const { status, reasons } = judge({
      recent: { calls: 10, errors: 9 },
      recentRestarts: 2,
      queue: { waiting: 100, limit: 100 },
    })
    expect(status).to.equal('unhealthy')
    expect(reasons).to.have.length(3)
  })
})
