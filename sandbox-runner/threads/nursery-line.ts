import type { EventEmitter } from 'node:events'
import { MessageChannel, Worker, type MessagePort, type Transferable } from 'node:worker_threads'
import { toTaskError } from './task-failure.ts'
import type { NurseryData, NurseryEvent, NurseryOpen, NurseryRequest } from './thread-messages.ts'

/** As it is before the plugin's code comes. */
const abort = process.abort.bind(process)

/**
 * The main thread's end of the nursery, see `nursery.ts`. A line of its own: whoever has Node's object of a thread may
 * end it, and speak to it by its inner port. So nothing here keeps the nursery's, and nothing passes by it that would show
 * it to the plugin's code in the same realm.
 */
export class Nursery {
  readonly #port: MessagePort
  readonly #threads = new Map<number, EventEmitter>()
  /** Told to end and not ended yet; each resolves when it has. */
  readonly #ending = new Map<number, PromiseWithResolvers<void>>()
  #lastId = 0

  /** Starts it; it runs no code of anybody else's from then on, and has taken the room of all threads. */
  static async open(file: string, data: Omit<NurseryData, 'port'>): Promise<Nursery> {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(file, {
      workerData: { ...data, port: port2 } satisfies NurseryData,
      transferList: [port2],
      resourceLimits: data.resourceLimits,
      stdout: true,
      stderr: true,
    })
    await new Promise<NurseryOpen>((resolve, reject) => {
      port1.once('message', resolve)
      worker.once('error', reject)
    })
    worker.removeAllListeners('error')
    // Of a heap that threads have stuffed it may end: then nobody answers, and nothing of the memory limit is kept.
    worker.on('error', abort).on('exit', abort)
    worker.unref()
    return new Nursery(port1)
  }

  private constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (event: NurseryEvent) => this.#heard(event))
    port.unref()
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
    this.#port.postMessage(request, [...transfer])
  }

  #heard(event: NurseryEvent): void {
    if (event.kind === 'printed') {
      process[event.stream].write(event.chunk)
      this.#ask({ kind: 'printed', id: event.id, stream: event.stream })
      return
    }
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
