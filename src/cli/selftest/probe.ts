import type { IsolationTier } from '../../contract/life.ts'
import type { Arena, ArenaPlaces } from './arena.ts'

/** What a tier promises: that the attack gets nothing, or by name what it does not hold. */
export type Expected = 'held' | { readonly open: string }

/** `unclear`: the probe could not be judged, which counts as a failure, never as a pass. */
export interface Finding {
  readonly verdict: 'held' | 'open' | 'unclear'
  /** What was seen, in one line. */
  readonly found: string
}

/** One attack by a hostile plugin inside its sandbox, and what it must not achieve. */
export interface Probe {
  /** Stable, and the name for `phantom selftest --only`. */
  readonly id: string
  readonly area: ProbeArea
  /** Reads after "A plugin". */
  readonly tries: string
  readonly expected: Readonly<Record<IsolationTier, Expected>>
  /** Plugins that it needs in the arena before the daemon starts. */
  readonly plugins: readonly AttackerName[]
  /** Makes what it needs, before the daemon starts. */
  readonly prepare: (places: ArenaPlaces) => void
  /** Its attacker gets a new process afterwards: this one's realm is ruined. */
  readonly spoils: boolean
  /** Why it can't be tried on this machine; null where it can. */
  readonly skip: (arena: Arena) => string | null
  readonly run: (arena: Arena) => Promise<Finding>
}

export type ProbeArea =
  | 'files'
  | 'links'
  | 'runtime'
  | 'processes'
  | 'kernel'
  | 'network'
  | 'egress'
  | 'resources'
  | 'wire'
  | 'manifest'

/** The same hostile code under another manifest; see `attackers.ts`. */
export type AttackerName =
  | 'bare'
  | 'granted'
  | 'hasty'
  | 'networker'
  | 'limited'
  | 'busy'
  | 'loose'
  | 'starter'
  | 'threaded'
