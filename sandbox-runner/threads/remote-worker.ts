import { EventEmitter } from 'node:events'
import type { Transferable } from 'node:worker_threads'
import type { Nursery } from './nursery-line.ts'

/**
 * Stands in piscina's code for `Worker` of `node:worker_threads`, which the main thread has no right to: the nursery
 * starts the thread, always the same file, whatever is asked here. Messages of tasks go by a port of their own and do
 * not pass through the nursery.
 */
export class RemoteWorker extends EventEmitter {
  static nursery: Nursery | null = null
  readonly threadId: number
  readonly #nursery: Nursery

  constructor() {
    super()
    if (RemoteWorker.nursery === null)
      throw new TypeError('the nursery must be there before the first thread')
    this.#nursery = RemoteWorker.nursery
    this.threadId = this.#nursery.start(this)
  }

  postMessage(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#nursery.post(this.threadId, message, transfer)
  }

  terminate(): void {
    this.#nursery.terminate(this.threadId)
  }

  /** The process lives as long as its channel to the host: no thread keeps it. */
  ref(): void {}
  unref(): void {}
}
