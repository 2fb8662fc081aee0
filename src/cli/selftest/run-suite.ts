import type { IsolationTier } from '../../contract/life.ts'
import { PhantomError } from '../../contract/phantom-error.ts'
import { Arena } from './arena.ts'
import { PROBES } from './catalogue.ts'
import type { Probe } from './probe.ts'
import { runProbe, type ProbeResult } from './run-probe.ts'

export interface SuiteReport {
  readonly tier: IsolationTier
  readonly passed: boolean
  readonly duration_ms: number
  readonly results: readonly ProbeResult[]
  /** Processes that outlived the daemon by more than a second. */
  readonly left_processes: readonly number[]
}

export interface SuiteOptions {
  /** null: what this machine gives. */
  readonly tier: IsolationTier | null
  readonly probes: readonly Probe[]
  readonly signal: AbortSignal
  readonly onProbe: (probe: Probe, at: number) => void
}

/** @throws PhantomError PARAMS_INVALID where no probe has that id */
export function selectProbes(ids: readonly string[]): readonly Probe[] {
  const unknown = ids.find((id) => !PROBES.some((probe) => probe.id === id))
  if (unknown === undefined) return ids.length === 0 ? PROBES : PROBES.filter(({ id }) => ids.includes(id))
  throw new PhantomError(
    'PARAMS_INVALID',
    `Cannot run the probe "${unknown}": there is none of that name. "phantom selftest --list" names them all`,
  )
}

/** Runs probes one after the other in an arena of their own, which is gone afterwards. */
export async function runSuite({ tier, probes, signal, onProbe }: SuiteOptions): Promise<SuiteReport> {
  const startedMs = performance.now()
  const arena = await Arena.open(probes, tier)
  const results: ProbeResult[] = []
  let left: readonly number[] = []
  try {
    assertTier(arena.tier, tier)
    for (const [at, probe] of probes.entries()) {
      if (signal.aborted) break
      onProbe(probe, at)
      results.push(await runProbe(arena, probe))
    }
  } finally {
    left = await arena.close()
  }
  return {
    tier: arena.tier,
    passed: results.every(({ ok }) => ok) && left.length === 0,
    duration_ms: Math.round(performance.now() - startedMs),
    results,
    left_processes: left,
  }
}

function assertTier(found: IsolationTier, wanted: IsolationTier | null): void {
  if (wanted === null || wanted === found) return
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot run the suite in tier "${wanted}": this machine gives "${found}". "phantom doctor" says why and how to mend it`,
    { details: { tier: found, required_tier: wanted } },
  )
}
