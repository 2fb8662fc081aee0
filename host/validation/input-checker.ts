import type { Piscina } from 'piscina'
import type { InputProblem } from '../../src/contract/input/describe-input-error.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { openCheckThread } from './check-thread.ts'
import type { InputOutcome, InputRule, InputTask } from './input-task.ts'

/** For one input, from when its turn has come. */
const DEFAULT_TIMEOUT_MS = 2000
/** For a thread to start, on a busy machine: no input is to blame for it. */
const WARM_UP_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 30_000
const SURELY_WARM_MS = IDLE_TIMEOUT_MS / 2
const THREADS = 2
/** In the bundle everything of the host is one file in dist/host, the worker one below it. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './input-worker.ts' : './validation/input-worker.js',
  import.meta.url,
)

/** The input as its plugin gets it, or what is wrong with it. */
export type CheckedInput =
  | { readonly problem: InputProblem }
  | { readonly problem: null; readonly input: Buffer | null }

interface InputCheckerOptions {
  readonly maxPayloadBytes: number
  readonly timeoutMs?: number
}

/**
 * Checks inputs of plugins that have no runner to do it, in threads that are ended when one takes too long. Those of one
 * plugin take turns, so that whatever its schema does, another plugin's are checked.
 */
export class InputChecker {
  readonly #maxPayloadBytes: number
  readonly #timeoutMs: number
  readonly #free: CheckThread[] = Array.from({ length: THREADS }, () => new CheckThread())
  readonly #threads = [...this.#free]
  readonly #waiting: ((thread: CheckThread) => void)[] = []
  readonly #turns = new Map<string, Promise<unknown>>()
  #isClosed = false

  constructor({ maxPayloadBytes, timeoutMs = DEFAULT_TIMEOUT_MS }: InputCheckerOptions) {
    this.#maxPayloadBytes = maxPayloadBytes
    this.#timeoutMs = timeoutMs
  }

  /** @throws PhantomError DAEMON_SHUTTING_DOWN, INTERNAL_ERROR */
  async check(pluginId: string, rule: InputRule, input: Buffer | null): Promise<CheckedInput> {
    const before = this.#turns.get(pluginId)
    const checked =
      before === undefined ? this.#check(rule, input) : before.then(() => this.#check(rule, input))
    const turn = checked.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(pluginId, turn)
    try {
      return await checked
    } finally {
      if (this.#turns.get(pluginId) === turn) this.#turns.delete(pluginId)
    }
  }

  /** Ends the threads; what is under way is refused with `DAEMON_SHUTTING_DOWN`. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#threads.map((thread) => thread.close()))
    await Promise.all(this.#turns.values())
  }

  async #check(rule: InputRule, input: Buffer | null): Promise<CheckedInput> {
    const thread =
      this.#free.pop() ?? (await new Promise<CheckThread>((resolve) => this.#waiting.push(resolve)))
    try {
      if (this.#isClosed) throw shuttingDown()
      const task = { kind: 'check', rule, bytes: copyOf(input), maxBytes: this.#maxPayloadBytes } as const
      return readOutcome(await thread.run(task, this.#timeoutMs), input)
    } catch (error) {
      if (this.#isClosed) throw shuttingDown()
      throw error
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(thread)
      else next(thread)
    }
  }
}

/** One thread, and the next where that one was ended. */
class CheckThread {
  #pool: Promise<Piscina<InputTask, InputOutcome>> | null = null
  /** Until then its thread is there: nothing of a check's time goes into a start. */
  #warmUntilMs = -Infinity

  async run(task: Extract<InputTask, { kind: 'check' }>, timeoutMs: number): Promise<InputOutcome> {
    const pool = await (this.#pool ??= openPool())
    if (performance.now() > this.#warmUntilMs) await warmUp(pool)
    this.#warmUntilMs = performance.now() + SURELY_WARM_MS
    const deadline = AbortSignal.timeout(timeoutMs)
    // Its types name the options of a later postMessage(); it wants the list.
    const transferList = (task.bytes === null ? [] : [task.bytes.buffer]) as object
    try {
      return await pool.run(task, { signal: deadline, transferList })
    } catch (error) {
      this.#warmUntilMs = -Infinity
      // Its deadline, or a thread that died of its memory limit.
      const why = deadline.aborted
        ? `checking it takes longer than ${timeoutMs} ms`
        : `checking it ended with: ${messageOf(error)}`
      const words = `${why} (it is too large, or a pattern of its schema is like "(a+)+$")`
      return {
        kind: 'refused',
        problem: { message: `input: ${words}`, details: { path: 'input', keyword: 'time' } },
      }
    }
  }

  async close(): Promise<void> {
    const pool = await this.#pool
    await pool?.destroy()
  }
}

async function warmUp(pool: Piscina<InputTask, InputOutcome>): Promise<void> {
  try {
    await pool.run({ kind: 'warm_up' }, { signal: AbortSignal.timeout(WARM_UP_TIMEOUT_MS) })
  } catch (error) {
    const message = `Cannot check an input: the worker thread does not start: ${messageOf(error)}. See the daemon's log`
    throw new PhantomError('INTERNAL_ERROR', message, { cause: error })
  }
}

function openPool(): Promise<Piscina<InputTask, InputOutcome>> {
  return openCheckThread({
    worker: WORKER_URL,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxOldGenerationSizeMb: 512,
    maxYoungGenerationSizeMb: 32,
  })
}

/** Its own memory, which is moved into the thread: what the call holds may be sent again. */
function copyOf(input: Buffer | null): Uint8Array | null {
  return input === null ? null : new Uint8Array(input)
}

function readOutcome(outcome: InputOutcome, input: Buffer | null): CheckedInput {
  if (outcome.kind === 'refused') return { problem: outcome.problem }
  const text = outcome.kind === 'fits' ? outcome.text : null
  return { problem: null, input: text === null ? input : Buffer.from(text) }
}

function shuttingDown(): PhantomError {
  return new PhantomError(
    'DAEMON_SHUTTING_DOWN',
    'Cannot check an input: the daemon is shutting down. Call again when it is back',
  )
}
