import { messageOf } from '../../contract/phantom-error.ts'
import type { IsolationTier } from '../../contract/life.ts'
import type { Arena } from './arena.ts'
import type { Finding, Probe, ProbeArea } from './probe.ts'

/** One row of the suite's table. */
export interface ProbeResult {
  readonly id: string
  readonly area: ProbeArea
  readonly tries: string
  readonly tier: IsolationTier
  /** What this tier promises; `open` with the reason where it promises nothing. */
  readonly expected: 'held' | 'open'
  readonly why_open: string | null
  readonly outcome: Finding['verdict'] | 'skipped'
  readonly found: string
  /** False for an escape, and for what could not be judged. What a weaker tier does not promise fails nothing. */
  readonly ok: boolean
}

export async function runProbe(arena: Arena, probe: Probe): Promise<ProbeResult> {
  const expectation = probe.expected[arena.tier]
  const isPromised = expectation === 'held'
  const finding = await find(arena, probe)
  return {
    id: probe.id,
    area: probe.area,
    tries: probe.tries,
    tier: arena.tier,
    expected: isPromised ? 'held' : 'open',
    why_open: isPromised ? null : expectation.open,
    outcome: finding.verdict,
    found: finding.found.replaceAll(arena.places.root, '…'),
    ok:
      finding.verdict === 'held' ||
      finding.verdict === 'skipped' ||
      (finding.verdict === 'open' && !isPromised),
  }
}

async function find(arena: Arena, probe: Probe): Promise<{ verdict: ProbeResult['outcome']; found: string }> {
  const skipped = probe.skip(arena)
  if (skipped !== null) return { verdict: 'skipped', found: skipped }
  const finding = await probe
    .run(arena)
    .catch((error: unknown): Finding => ({ verdict: 'unclear', found: messageOf(error) }))
  if (probe.spoils) for (const name of probe.plugins) await arena.renew(name)
  const effect = await arena
    .effect()
    .catch((error: unknown) => `the daemon stopped answering: ${messageOf(error)}`)
  return effect === null ? finding : { verdict: 'open', found: effect }
}
