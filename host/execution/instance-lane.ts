import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { MAX_QUEUED_CALLS } from '../../src/contract/limits.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { CreatedFiles } from './created-files.ts'
import type { Execution } from './execution.ts'

export interface LaneEvents {
  /** Spawns the process; rejects with the PhantomError that the waiting calls get. */
  spawnInstance(lane: InstanceLane): Promise<RunnerInstance>
  /** The call leaves the queue now. */
  onDispatch(execution: Execution, nowMs: number): void
  onAnswer(lane: InstanceLane, execution: Execution, answer: Answer): void
  onExit(lane: InstanceLane, exit: ExitInfo, inFlight: readonly Execution[]): void
}

/**
 * The calls of one plugin, generation and workspace on their way to one process: waits, starts the process when the
 * first call comes or the last one died, and hands out at most `concurrency` calls at once, in order.
 */
export class InstanceLane {
  readonly plugin: RunnablePlugin
  readonly workspace: string
  readonly createdFiles = new CreatedFiles()
  readonly #concurrency: number
  readonly #events: LaneEvents
  #waiting: Execution[] = []
  /** Where the queue begins in `#waiting`: shifting an array of thousands would move them all. */
  #head = 0
  readonly #parked = new Set<Execution>()
  #instance: RunnerInstance | null = null
  #starting: Promise<void> | null = null
  #refusal: PhantomError | null = null

  constructor(options: { plugin: RunnablePlugin; workspace: string }, events: LaneEvents) {
    this.plugin = options.plugin
    this.workspace = options.workspace
    this.#concurrency = options.plugin.manifest.runtime.concurrency
    this.#events = events
  }

  get instance(): RunnerInstance | null {
    return this.#instance
  }
  /** Calls that still want an answer and have not been handed out. */
  countWaiting(): number {
    let count = this.#parked.size
    for (let at = this.#head; at < this.#waiting.length; at += 1)
      if (!this.#waiting[at]!.isSettled) count += 1
    return count
  }

  get #queuedCount(): number {
    return this.#waiting.length - this.#head + this.#parked.size
  }

  submit(execution: Execution, nowMs: number): void {
    if (this.#refusal !== null) {
      execution.settle({ kind: 'rejected', error: this.#refusal })
      return
    }
    if (this.#queuedCount >= MAX_QUEUED_CALLS) this.#dropSettled()
    if (this.#queuedCount >= MAX_QUEUED_CALLS) {
      const error = new PhantomError(
        'QUEUE_FULL',
        `Cannot run "${execution.call.operation}" of "${this.plugin.id}": ${MAX_QUEUED_CALLS} calls wait already. Try again later`,
        { details: { queued: this.#queuedCount, limit: MAX_QUEUED_CALLS } },
      )
      execution.settle({ kind: 'rejected', error })
      return
    }
    this.#enqueue(execution, nowMs)
  }

  /** Hands out what can be handed out now. */
  pump(nowMs = performance.now()): void {
    const instance = this.#instance
    if (instance === null) {
      if (this.#hasWork() && this.#starting === null) this.#starting = this.#start()
      return
    }
    while (instance.inFlightCount < this.#concurrency && instance.canTakeCall && this.#hasWork()) {
      const execution = this.#waiting[this.#head]!
      this.#head += 1
      if (this.#park(execution)) continue
      this.#events.onDispatch(execution, nowMs)
      instance.dispatch(execution, nowMs)
    }
    // What was handed out leaves the array now and then: a queue that is never empty must not grow for ever.
    if (this.#head === this.#waiting.length || this.#head > MAX_QUEUED_CALLS) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }

  answered(execution: Execution, answer: Answer): void {
    try {
      this.#events.onAnswer(this, execution, answer)
    } catch (error) {
      // A defect of ours, met by what a hostile process said: it fails that call, not the daemon.
      execution.settle({ kind: 'rejected', error })
    }
    this.pump()
  }

  exited(exit: ExitInfo, inFlight: readonly Execution[]): void {
    this.#events.onExit(this, exit, inFlight)
    this.#instance = null
    this.pump()
  }

  /** Ends the process for good: calls that wait, and all that come later, get `refusal`. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#refusal = refusal
    this.#refuseWaiting(refusal)
    for (const execution of this.#parked) execution.settle({ kind: 'rejected', error: refusal })
    this.#parked.clear()
    await this.#instance?.end(cause)
    await this.#starting
  }

  /** Sets a call aside whose client does not take its answers. */
  #park(execution: Execution): boolean {
    const resume = (): void => {
      if (this.#parked.delete(execution)) this.#enqueue(execution)
    }
    if (!execution.call.park(resume)) return false
    this.#parked.add(execution)
    return true
  }

  #enqueue(execution: Execution, nowMs = performance.now()): void {
    this.#waiting.push(execution)
    this.pump(nowMs)
  }

  /** Calls that were settled while they waited (deadline, cancel) only fall out here. */
  #hasWork(): boolean {
    while (this.#head < this.#waiting.length && this.#waiting[this.#head]!.isSettled) this.#head += 1
    return this.#head < this.#waiting.length
  }

  #dropSettled(): void {
    this.#waiting = this.#waiting.slice(this.#head).filter((execution) => !execution.isSettled)
    this.#head = 0
  }

  async #start(): Promise<void> {
    try {
      const instance = await this.#events.spawnInstance(this)
      this.#instance = instance
      if (this.#refusal !== null) await instance.end('host_shutdown')
      else await instance.start()
    } catch (error) {
      this.#refuseWaiting(error)
    } finally {
      this.#starting = null
    }
    this.pump()
  }

  #refuseWaiting(error: unknown): void {
    const waiting = this.#waiting.slice(this.#head)
    this.#waiting = []
    this.#head = 0
    for (const execution of waiting) execution.settle({ kind: 'rejected', error })
  }
}
