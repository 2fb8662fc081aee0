export interface Skip {
  readonly title: string
  readonly reason: string
  /** A `before` hook skipped every test of its suite. */
  readonly isSuite: boolean
}

const skips: Skip[] = []

/** Skips the running test, or the suite of the running `before` hook, and keeps the reason for the end of the run. */
export function skipBecause(this: Mocha.Context, reason: string): never {
  const runnable = this.test as Mocha.Hook | Mocha.Test | undefined
  const isSuite = runnable?.type === 'hook'
  const title = (isSuite ? runnable.parent?.fullTitle() : runnable?.fullTitle()) ?? 'unknown test'
  skips.push({ title, reason, isSuite })
  this.skip()
}

export function collectedSkips(): readonly Skip[] {
  return skips
}
