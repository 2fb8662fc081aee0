import type { EventEmitter } from 'node:events'
import { Worker, type Transferable } from 'node:worker_threads'
import { toTaskError } from './task-failure.ts'
import type { NurseryData, NurseryEvent, NurseryRequest } from './thread-messages.ts'

/** The main thread's end of the nursery, see `nursery.ts`. */
export class Nursery {
  readonly #worker: Worker
  readonly #threads = new Map<number, EventEmitter>()
  /** Told to end and not ended yet; each resolves when it has. */
  readonly #ending = new Map<number, PromiseWithResolvers<void>>()
  #lastId = 0

  /** Starts it; it runs no code of anybody else's from then on. */
  static async open(file: string, data: NurseryData): Promise<Nursery> {
    const worker = new Worker(file, { workerData: data, resourceLimits: data.resourceLimits })
    await new Promise<void>((resolve, reject) => worker.once('online', resolve).once('error', reject))
    worker.removeAllListeners('error')
    return new Nursery(worker)
  }

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (event: NurseryEvent) => this.#heard(event))
    worker.unref()
  }

  start(thread: EventEmitter): number {
    this.#lastId += 1
    this.#threads.set(this.#lastId, thread)
    this.#ask({ kind: 'start', id: this.#lastId })
    return this.#lastId
  }

  post(id: number, message: unknown, transfer: readonly Transferable[]): void {
    this.#ask({ kind: 'post', id, message, transfer }, transfer)
  }

  terminate(id: number): void {
    if (!this.#threads.has(id) || this.#ending.has(id)) return
    this.#ending.set(id, Promise.withResolvers())
    this.#ask({ kind: 'terminate', id })
  }

  /** When all threads have ended that were told to. Never, where one does not. */
  async ended(): Promise<void> {
    await Promise.all([...this.#ending.values()].map(({ promise }) => promise))
  }

  #ask(request: NurseryRequest, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(request, [...transfer])
  }

  #heard(event: NurseryEvent): void {
    const thread = this.#threads.get(event.id)
    if (thread === undefined) return
    switch (event.kind) {
      case 'message':
        thread.emit('message', event.message)
        return
      case 'error':
        thread.emit('error', toTaskError(event.error, null))
        return
      case 'exit':
        this.#threads.delete(event.id)
        this.#ending.get(event.id)?.resolve()
        this.#ending.delete(event.id)
        thread.emit('exit', event.code)
    }
  }
}
