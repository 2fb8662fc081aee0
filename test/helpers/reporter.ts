import Mocha from 'mocha'
import { collectedSkips, type Skip } from './skip.ts'
import { fileOf, Slowest } from './slowest.ts'

/** After this long with nothing left to test, an open handle is what keeps the process: end it as failed. */
const HANGING_MS = 10_000

/**
 * The spec reporter, then every skip with its reason and every file that failed, then one line by itself that machines read:
 * `12 passed, 0 failed, 1 skipped`.
 */
export default class SpecWithSkips extends Mocha.reporters.Spec {
  readonly #pendingTitles: string[] = []
  readonly #failedFiles = new Set<string>()
  readonly #slowest = new Slowest()

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    runner.on('pending', (test: Mocha.Test) => this.#pendingTitles.push(test.fullTitle()))
    runner.on('fail', (test) => this.#failedFiles.add(fileOf(test)))
    const take = (test: Mocha.Runnable): void =>
      this.#slowest.add(fileOf(test), test.fullTitle(), test.duration)
    runner.on('test end', take)
    runner.on('hook end', take)
  }

  override epilogue(): void {
    super.epilogue()
    const skips = collectedSkips()
    for (const { title, reason } of skips) print(`Skipped: ${title}: ${reason}`)
    for (const title of this.#pendingTitles.filter((pending) => !isExplained(pending, skips))) {
      print(`Skipped: ${title}: no reason given, use skipBecause()`)
    }
    for (const line of this.#slowest.lines()) print(line)
    for (const file of this.#failedFiles) print(`Failed in: ${file}`)
    const { passes, failures, pending } = this.stats
    print(`${passes} passed, ${failures} failed, ${pending} skipped`)
    setTimeout(endHangingRun, HANGING_MS).unref()
  }
}

function isExplained(pendingTitle: string, skips: readonly Skip[]): boolean {
  return skips.some(({ title, isSuite }) =>
    isSuite ? pendingTitle.startsWith(`${title} `) : pendingTitle === title,
  )
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function endHangingRun(): void {
  const handles = process.getActiveResourcesInfo().join(', ')
  process.stderr.write(
    `Cannot end the test run: still open after ${HANGING_MS} ms: ${handles}. Close them in after()\n`,
  )
  process.exit(1)
}
