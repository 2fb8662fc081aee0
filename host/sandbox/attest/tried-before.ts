import type { AttestationItem } from '../../../src/contract/attestation.ts'

/** Attempts that cost two milliseconds: they load what a runner has no need of. */
const COSTLY: ReadonlySet<string> = new Set(['canary.connect', 'canary.start'])

/**
 * What the first process of a generation tried in vain. Those after it start by the same plan, and of each the kernel
 * is asked whether it stands: they do not pay for trying again.
 */
export class TriedBefore {
  #items: readonly AttestationItem[] | null = null

  /** Null where nobody has tried, or somebody succeeded. */
  get items(): readonly AttestationItem[] | null {
    return this.#items
  }

  add(canary: readonly AttestationItem[]): void {
    const costly = canary.filter(({ name }) => COSTLY.has(name))
    if (this.#items !== null || costly.length === 0 || costly.some(({ verdict }) => verdict !== 'holds'))
      return
    this.#items = costly.map((item) => ({
      ...item,
      proof: `${item.proof}, in this generation's first process`,
    }))
  }

  /** With what an earlier process tried, where this one did not. */
  complete(canary: readonly AttestationItem[]): readonly AttestationItem[] {
    const isTried = canary.some(({ name }) => COSTLY.has(name))
    return isTried ? canary : [...canary, ...(this.#items ?? [])]
  }
}
