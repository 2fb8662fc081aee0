import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadAnswer, LoadParams } from '../harness/questions.ts'
import { openPlainCaller } from './plain-calls.ts'
import type { VersionedPlugin } from './versioned-plugin.ts'

/** Each call takes so long in the plugin that, at 64 in flight, 10,000 of them last as long as 55 saves. */
const WORK_MS = 40
const LOOK_MS = 2
/** What is not answered so long after the last save is lost. */
const PATIENCE_MS = 20_000

/**
 * Keeps `inFlight` calls open, `calls` in all and more where the saves take longer, while the plugin's file is saved
 * again and again, now and then broken. Spread over the calls, so that neither side ends long before the other.
 */
export async function callsUnderReloads(
  plugin: VersionedPlugin,
  socketPath: string,
  params: LoadParams,
): Promise<LoadAnswer> {
  const recordPath = await plugin.recordPath()
  const load = new Load(params)
  const caller = await openPlainCaller(socketPath, plugin.id, (id, { result, error }) =>
    load.answered(id, result === id ? null : (error ?? `the answer was ${JSON.stringify(result)}`)),
  )
  try {
    load.begin((id) => caller.call(id, 'work', { number: id, wait_ms: WORK_MS }))
    const reloadsMs = await saveAgainAndAgain(plugin, load, params)
    load.enough()
    await Promise.race([load.over, sleep(PATIENCE_MS, undefined, { ref: false })])
    // A second answer would come behind the first.
    await sleep(2 * WORK_MS)
    return { ...load.figures(repeatedIn(recordPath)), reloadsMs }
  } finally {
    caller.close()
  }
}

/** How long each good save took until it served. */
async function saveAgainAndAgain(
  plugin: VersionedPlugin,
  load: Load,
  { calls, reloads, brokenSaves }: LoadParams,
): Promise<number[]> {
  const saves = reloads + brokenSaves
  const reloadsMs: number[] = []
  for (let save = 1; save <= saves; save += 1) {
    while (load.issued < (calls * save) / (saves + 1)) await sleep(LOOK_MS)
    const isBroken = Math.floor((save * brokenSaves) / saves) > Math.floor(((save - 1) * brokenSaves) / saves)
    if (isBroken) await plugin.saveBroken()
    else reloadsMs.push(await plugin.saveAndReload())
  }
  return reloadsMs
}

class Load {
  readonly #params: LoadParams
  readonly #over = Promise.withResolvers<void>()
  readonly #answers: number[] = []
  #call: (id: number) => void = () => undefined
  #open = 0
  #failed = 0
  #firstFailure: string | null = null
  #isEnough = false

  constructor(params: LoadParams) {
    this.#params = params
  }

  /** Settles when every call has an answer. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  get issued(): number {
    return this.#answers.length
  }

  begin(call: (id: number) => void): void {
    this.#call = call
    for (let lane = 0; lane < this.#params.inFlight; lane += 1) this.#next()
  }

  /** No more calls than were asked for are needed. */
  enough(): void {
    this.#isEnough = true
    this.#settleIfOver()
  }

  answered(id: number, failure: string | null): void {
    const before = this.#answers[id] ?? 0
    this.#answers[id] = before + 1
    if (before > 0) return
    if (failure !== null) {
      this.#failed += 1
      this.#firstFailure ??= failure
    }
    this.#open -= 1
    this.#next()
    this.#settleIfOver()
  }

  figures(repeated: number): Omit<LoadAnswer, 'reloadsMs'> {
    const unanswered = this.#answers.filter((count) => count === 0).length
    const answeredTwice = this.#answers.filter((count) => count > 1).length
    return {
      calls: this.issued,
      lost: unanswered + this.#failed,
      doubled: answeredTwice + repeated,
      firstFailure: this.#firstFailure,
    }
  }

  #next(): void {
    if (this.#isEnough && this.issued >= this.#params.calls) return
    const id = this.#answers.push(0) - 1
    this.#open += 1
    this.#call(id)
  }

  #settleIfOver(): void {
    if (this.#isEnough && this.#open === 0) this.#over.resolve()
  }
}

/** Calls that stand more than once in what the plugin wrote down. */
function repeatedIn(recordPath: string): number {
  const ran = fs.readFileSync(recordPath, 'utf8').trimEnd().split('\n')
  return ran.length - new Set(ran).size
}
