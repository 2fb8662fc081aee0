import { Worker } from 'node:worker_threads'
import type { DiskAnswer, DiskTask } from './disk-task.ts'
import type { FolderMeasure } from './measure-folder.ts'

/** In the bundle everything of the host is one file in dist/host, the worker one below it. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './disk-worker.ts' : './monitor/disk/disk-worker.js',
  import.meta.url,
)
const LOST: FolderMeasure = { bytes: 0, files: 0, problem: 'the thread that measures ended' }

/** Measures folders one after the other in a thread, which starts with the first. */
export class FolderMeasurer {
  readonly #waiting = new Map<number, (measure: FolderMeasure) => void>()
  #worker: Worker | null = null
  #lastId = 0

  measure(folder: string, limitBytes: number): Promise<FolderMeasure> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#worker ??= this.#start()
      const task: DiskTask = { id, folder, limitBytes }
      this.#worker.postMessage(task)
    })
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(WORKER_URL, {
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 },
    })
    worker.on('message', ({ id, measure }: DiskAnswer) => this.#answer(id, measure))
    // Out of memory: `exit` follows.
    worker.on('error', () => undefined)
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null
      for (const id of this.#waiting.keys()) this.#answer(id, LOST)
    })
    worker.unref()
    return worker
  }

  #answer(id: number, measure: FolderMeasure): void {
    const resolve = this.#waiting.get(id)
    this.#waiting.delete(id)
    resolve?.(measure)
  }
}
