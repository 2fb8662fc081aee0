import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Piscina } from 'piscina'
import { THREAD_CODE_RANGE_MB } from '../../src/contract/limits.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { ParallelCall, Threads } from '../loaded-plugin.ts'
import { dropWorkerRight, unreadableFolder } from './drop-rights.ts'
import { ByteMover } from './move-bytes.ts'
import { Nursery } from './nursery-line.ts'
import { RemoteWorker } from './remote-worker.ts'
import { toTaskError } from './task-failure.ts'
import type { ThreadAnswer, ThreadTask } from './thread-messages.ts'

/** An idle thread holds some 6 MiB. */
const IDLE_TIMEOUT_MS = 10_000
/** Of one thread in one call: few enough to cost nothing, and enough that a slow one holds nobody up for long. */
const CHUNKS_PER_THREAD = 16

export interface ThreadPoolSettings {
  readonly threads: number
  /** What the memory limit leaves each of them to reserve. */
  readonly threadBytes: number
  /** Whether code may be made from strings there. */
  readonly eval: boolean
  /** The plugin's entry point: what relative paths of tasks start from. */
  readonly entry: string
  readonly onDenied: (permission: string, resource: string) => void
}

/** To be called before any code of the plugin runs: from then on it can start no thread by itself. */
export async function openThreadPool(settings: ThreadPoolSettings): Promise<ThreadPool> {
  const resourceLimits = { codeRangeSizeMb: THREAD_CODE_RANGE_MB }
  const nursery = await Nursery.open(join(__dirname, 'nursery.cjs'), {
    maxThreads: settings.threads,
    threadBytes: settings.threadBytes,
    resourceLimits,
    thread: { eval: settings.eval, unreadableFolder: unreadableFolder() },
  })
  RemoteWorker.nursery = nursery
  dropWorkerRight()
  return new ThreadPool(settings, { nursery, threadFile: join(__dirname, 'thread.cjs') })
}

/** The threads of one plugin's process, shared by all its calls. They start with the first task, and end when idle. */
export class ThreadPool implements Threads {
  readonly #settings: ThreadPoolSettings
  readonly #nursery: Nursery
  readonly #threadFile: string
  #pool: Promise<Piscina<ThreadTask, ThreadAnswer>> | null = null

  constructor(settings: ThreadPoolSettings, own: { nursery: Nursery; threadFile: string }) {
    this.#settings = settings
    this.#nursery = own.nursery
    this.#threadFile = own.threadFile
  }

  /** @throws what a task threw, an AbortError, or a TypeError where it is called wrongly */
  async run(call: ParallelCall): Promise<unknown[]> {
    const { items, options } = call
    if (!Array.isArray(items))
      throw new TypeError(`Cannot run items on threads: expected an array of them, found ${typeof items}`)
    const module = this.#moduleOf(call.task)
    const failed = new AbortController()
    const signals = [call.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const run = new ParallelRun(
      { ...call, module, handler: options.export ?? 'default' },
      {
        signal: AbortSignal.any([...signals, failed.signal]),
        pool: await this.#open(),
        onDenied: this.#settings.onDenied,
      },
    )
    try {
      for (const signal of signals) signal.throwIfAborted()
      return await run.all(this.#settings.threads)
    } catch (error) {
      failed.abort()
      // A call that is over while its thread computes on would leave that to nobody: one that does not end keeps the
      // call open, and the host ends the process.
      await this.#nursery.ended()
      throw signals.find(({ aborted }) => aborted)?.reason ?? error
    }
  }

  #moduleOf(task: string | URL): string {
    const isPath = typeof task === 'string' && /^\.{0,2}\//.test(task)
    const url = isPath || task instanceof URL ? new URL(task, pathToFileURL(this.#settings.entry)) : null
    if (url?.protocol === 'file:') return url.href
    throw new TypeError(
      `Cannot run ${quoteText(String(task))} on threads: it is no path of a module. Write one from the entry point's folder, "./tasks/sum.js", or new URL('./sum.js', import.meta.url)`,
    )
  }

  #open(): Promise<Piscina<ThreadTask, ThreadAnswer>> {
    // Loaded at the first call that needs it: 14 ms.
    return (this.#pool ??= import('piscina').then(({ Piscina }) => {
      const pool = new Piscina<ThreadTask, ThreadAnswer>({
        filename: this.#threadFile,
        minThreads: 0,
        maxThreads: this.#settings.threads,
        idleTimeout: IDLE_TIMEOUT_MS,
        // A task may wait for something: its thread's event loop must turn.
        atomics: 'disabled',
      })
      // A thread that dies after its task was aborted has nobody to tell: unheard, that would end the process.
      pool.on('error', () => undefined)
      return pool
    }))
  }
}

interface RunPowers {
  readonly signal: AbortSignal
  readonly pool: Piscina<ThreadTask, ThreadAnswer>
  readonly onDenied: ThreadPoolSettings['onDenied']
}

interface RunSpec extends Omit<ParallelCall, 'signal'> {
  readonly module: string
  readonly handler: string
}

/** One call on its way: each lane hands its thread one chunk after the other, so that only these are packed at once. */
class ParallelRun {
  readonly #spec: RunSpec
  readonly #mover: ByteMover
  readonly #own: RunPowers
  readonly #results: unknown[]
  #next = 0
  #done = 0

  constructor(spec: RunSpec, own: RunPowers) {
    this.#spec = spec
    this.#own = own
    this.#mover = new ByteMover(spec.items)
    this.#results = Array.from({ length: spec.items.length })
  }

  async all(threads: number): Promise<unknown[]> {
    const { length } = this.#spec.items
    const chunk = Math.ceil(length / (threads * CHUNKS_PER_THREAD))
    await Promise.all(Array.from({ length: Math.min(threads, length) }, () => this.#lane(chunk)))
    return this.#results
  }

  async #lane(chunk: number): Promise<void> {
    const { items } = this.#spec
    while (this.#next < items.length) {
      const first = this.#next
      this.#next += chunk
      await this.#run(first, items.slice(first, first + chunk))
    }
  }

  async #run(firstIndex: number, items: readonly unknown[]): Promise<void> {
    const { module, handler, options, onProgress } = this.#spec
    const { packed, transfer } = this.#mover.pack(items)
    const { signal, pool, onDenied } = this.#own
    const answer = await pool.run(
      { module, handler, items: packed, firstIndex },
      // piscina's type for the list is that of an older @types/node.
      { signal, transferList: transfer as never },
    )
    for (const { permission, resource } of answer.denied) onDenied(permission, resource)
    if (answer.kind === 'failed') throw toTaskError(answer.failure, this.#place(answer.index))
    for (const [at, result] of answer.results.entries()) this.#results[firstIndex + at] = result
    this.#done += items.length
    if (options.progress === true) onProgress(this.#done / this.#spec.items.length)
  }

  #place(index: number | null): string {
    const file = fileURLToPath(this.#spec.module)
    return index === null ? `Cannot load "${file}" in a thread` : `Item ${index}`
  }
}
