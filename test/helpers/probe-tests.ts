import { expect } from 'chai'
import { Arena } from '../../src/cli/selftest/arena.ts'
import type { Probe } from '../../src/cli/selftest/probe.ts'
import { runProbe } from '../../src/cli/selftest/run-probe.ts'
import type { IsolationTier } from '../../src/contract/life.ts'
import { skipBecause } from './skip.ts'

/** A test for each probe: what it sees must be what its tier promises, no less and no more. */
export function testProbes(probes: readonly Probe[], tier: IsolationTier): void {
  let arena: Arena | null = null

  before(async function () {
    arena = await Arena.open(probes, tier)
    if (arena.tier === tier) return
    await arena.close()
    arena = null
    skipBecause.call(this, `this machine gives no tier ${tier}; "phantom doctor" says why`)
  })
  after('no process is left', async () => {
    expect((await arena?.close()) ?? []).to.deep.equal([])
  })

  for (const probe of probes) {
    it(`(${probe.id}) ${probe.tries}`, async function () {
      const { outcome, expected, found } = await runProbe(arena!, probe)
      if (outcome === 'skipped') skipBecause.call(this, found)
      expect(outcome, found).to.equal(expected)
    })
  }
}
