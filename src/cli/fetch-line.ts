import type { FetchOptions } from '../client/runtime/fetch-runtime.ts'
import { runtimesFolder } from '../client/runtime/runtime-folder.ts'
import { pinnedPackage } from '../client/runtime/pinned-runtime.ts'
import { noteLine } from './output.ts'
import { ProgressLine } from './progress-line.ts'

/** What a person sees of a fetch: a sentence that stays, and on a terminal a line that moves. With `--json` nothing. */
export class FetchLine {
  readonly #isSilent: boolean
  #line: ProgressLine | null = null

  constructor(isSilent: boolean) {
    this.#isSilent = isSilent
  }

  readonly update: NonNullable<FetchOptions['onProgress']> = (progress) => {
    if (this.#isSilent) return
    this.#line ??= this.#begin()
    this.#line.update({ execution_id: '', ...progress })
  }

  end(): void {
    this.#line?.[Symbol.dispose]()
    this.#line = null
  }

  #begin(): ProgressLine {
    const { name, version } = pinnedPackage()
    noteLine(
      `Plugins run on Node ${version}: fetching it once (npm's package ${name}) into ${runtimesFolder()}`,
    )
    return new ProgressLine(process.stderr, `Node ${version}`)
  }
}
