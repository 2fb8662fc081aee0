import type { DesignName } from './design.ts'

/** How this run of the bench measures. */
export interface Setting {
  readonly rounds: number
  /** Shortest possible: it proves that everything runs, its figures mean nothing. */
  readonly isQuick: boolean
  readonly designs: readonly DesignName[]
  /** The core that everything measured runs on; null where it can't be pinned. */
  readonly core: number | null
  /** Temporary, removed at the end. */
  readonly folder: string
  /** A line on how far it is. */
  readonly tell: (line: string) => void
}
