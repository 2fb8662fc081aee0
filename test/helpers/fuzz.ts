import * as fc from 'fast-check'

/** Cases of one property; a quiet machine has time for all of them. */
const CASES = Number(process.env['PHANTOM_FUZZ_CASES'] ?? 100_000)
const IS_CI = process.env['CI'] === 'true'
/** A busy machine ends here, and says how far it came; CI has the time for all, within the 60 s of such a test. */
const TIME_LIMIT_MS = Number(process.env['PHANTOM_FUZZ_MS'] ?? (IS_CI ? 55_000 : 15_000))
const LEAST_CASES = 2_000

/** Tries a property with as many cases as there is time for; a failure names its seed, which tries the same again. */
export function fuzz<Values>(property: fc.IProperty<Values>, cases = CASES): void {
  const wanted = settings<Values>(cases)
  judge(fc.check(property, wanted), wanted.numRuns)
}

/** The same of what answers later. */
export async function fuzzAsync<Values>(property: fc.IAsyncProperty<Values>, cases = CASES): Promise<void> {
  const wanted = settings<Values>(cases)
  judge(await fc.check(property, wanted), wanted.numRuns)
}

function settings<Values>(cases: number): fc.Parameters<Values> & { numRuns: number } {
  return {
    numRuns: Math.min(cases, CASES),
    plugins: [fc.interruptAfterTimeLimit(TIME_LIMIT_MS, { failOnInterrupt: false })],
    ...(process.env['PHANTOM_FUZZ_SEED'] === undefined
      ? {}
      : { seed: Number(process.env['PHANTOM_FUZZ_SEED']) }),
  }
}

function judge<Values>(details: fc.RunDetails<Values>, wanted: number): void {
  const { numRuns, seed } = details
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance })
  if (details.interrupted)
    process.stdout.write(`      ${numRuns} cases in ${TIME_LIMIT_MS} ms (seed ${seed})\n`)
  if (numRuns < (IS_CI ? wanted : Math.min(wanted, LEAST_CASES)))
    throw new Error(
      `only ${numRuns} of ${wanted} cases in ${TIME_LIMIT_MS} ms: a case takes too long (seed ${seed})`,
    )
}

/** Texts made of parts that mean something to what reads them, and of any others. */
export function textOf(parts: readonly string[], maxParts = 12): fc.Arbitrary<string> {
  const part = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...parts) },
    { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  )
  return fc.array(part, { maxLength: maxParts }).map((all) => all.join(''))
}
