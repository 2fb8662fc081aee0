import path from 'node:path'

/** `SLOWEST=20 npm test` says where the time of a run went. */
const SHOWN = Number(process.env['SLOWEST'] ?? 0)
// A test that runs mocha asks its run nothing.
delete process.env['SLOWEST']

interface Taken {
  readonly title: string
  readonly tookMs: number
}

/** How long files took, with their hooks, and tests and hooks by themselves. Nothing is kept where nobody asks. */
export class Slowest {
  readonly #files = new Map<string, number>()
  readonly #runnables: Taken[] = []
  #sinceMs = performance.now()

  /** Between the last end and this one, whatever it was, this file had the process. */
  add(file: string, title: string, duration = 0): void {
    if (SHOWN === 0) return
    const nowMs = performance.now()
    this.#files.set(file, (this.#files.get(file) ?? 0) + nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
    this.#runnables.push({ title: `${file}: ${title}`, tookMs: duration })
  }

  lines(): string[] {
    const files = [...this.#files].map(([title, tookMs]) => ({ title, tookMs }))
    return [...longestOf(files), ...longestOf(this.#runnables)].map(
      ({ title, tookMs }) => `Slow: ${(tookMs / 1000).toFixed(1)} s ${title}`,
    )
  }
}

function longestOf(taken: readonly Taken[]): Taken[] {
  return taken.toSorted((a, b) => b.tookMs - a.tookMs).slice(0, SHOWN)
}

/** A hook has no file of its own. */
export function fileOf(test: Mocha.Runnable): string {
  const file = test.file ?? test.parent?.file ?? test.parent?.suites[0]?.file
  return file === undefined ? test.fullTitle() : path.relative(process.cwd(), file)
}
