import type { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { CallQueue, type QueuePlace } from './call-queue.ts'
import { CreatedFiles } from './created-files.ts'
import type { Execution } from './execution.ts'
import type { EndedInstance, LanePowers } from './lane-powers.ts'
import { SetAside } from './set-aside.ts'
import { droppedOperationError } from './refusals.ts'

/** A process that gets no more calls: what ends it, after its last one or at the deadline. */
interface Drain {
  end(): void
  readonly deadline: NodeJS.Timeout
}

/**
 * The calls of one plugin and workspace on their way to processes: they wait, start a process where none runs, and
 * are handed out, at most `concurrency` at once. Over a reload the calls stay here and the process changes.
 */
export class InstanceLane {
  readonly plugin: RunnablePlugin
  readonly workspace: string
  readonly createdFiles = new CreatedFiles()
  readonly #powers: LanePowers
  readonly #queue = new CallQueue<Execution>()
  readonly #aside = new SetAside()
  #instance: RunnerInstance | null = null
  #standby: RunnerInstance | null = null
  readonly #draining = new Map<RunnerInstance, Drain>()
  #starting: Promise<void> | null = null
  /** The start under way has no process yet: it waits for plugins that this one needs. */
  #awaitsOthers = false
  #isRetiring = false
  #retry: NodeJS.Timeout | null = null
  #holders = 0
  /** A start was asked for while calls were held back. */
  #isWokenHeld = false
  #refusal: PhantomError | null = null

  constructor(options: { plugin: RunnablePlugin; workspace: string }, powers: LanePowers) {
    this.plugin = options.plugin
    this.workspace = options.workspace
    this.#powers = powers
  }

  /** The process that calls go to, or that is being started for them. */
  get instance(): RunnerInstance | null {
    return this.#instance
  }
  get standby(): RunnerInstance | null {
    return this.#standby
  }
  get isVacant(): boolean {
    return (
      this.#instance === null &&
      this.#standby === null &&
      this.#starting === null &&
      this.#retry === null &&
      this.#holders === 0 &&
      this.#draining.size === 0 &&
      this.#queue.size === 0 &&
      this.#aside.size === 0
    )
  }
  /** Calls wait, and no process starts, until a reload is over. */
  get isHeld(): boolean {
    return this.#holders > 0
  }
  /** Its processes end for good, or were told to end their calls. */
  get isClosed(): boolean {
    return this.#refusal !== null || this.#isRetiring
  }
  /** It will start when its backoff is over. */
  get isBackingOff(): boolean {
    return this.#retry !== null && this.#starting === null && this.#instance === null
  }
  /** Calls that still want an answer and have not been handed out. */
  get waitingCount(): number {
    return this.#queue.size + this.#aside.size
  }
  get queue(): Pick<CallQueue<Execution>, 'sizes' | 'oldestMs'> {
    return this.#queue
  }

  /** Every process of this lane, whatever it does. Twenty times a second each lane is asked, hence no generator. */
  instances(): readonly RunnerInstance[] {
    const found = this.#instance === null ? [] : [this.#instance]
    if (this.#standby !== null) found.push(this.#standby)
    return this.#draining.size === 0 ? found : [...found, ...this.#draining.keys()]
  }

  submit(execution: Execution, nowMs: number): void {
    if (this.#refuses(execution)) return
    this.plugin.queuedCalls += 1
    this.#enqueue(execution, nowMs)
  }

  /** Takes a call back whose process died, ahead of all others of its priority. */
  resubmit(execution: Execution, nowMs: number): void {
    if (this.#refuses(execution)) return
    this.plugin.queuedCalls += 1
    this.#queue.pushFront(execution, placeOf(execution, nowMs))
  }

  /** The call has its answer: it waits no longer. */
  forget(execution: Execution): void {
    if (!this.#queue.remove(execution) && !this.#aside.delete(execution)) return
    this.plugin.queuedCalls -= 1
    // One that was set aside may have outlived the process.
    if (this.isVacant) this.#powers.onVacant(this)
  }

  /** Hands out what can be handed out now. */
  pump(nowMs = performance.now()): void {
    if (this.#holders > 0) return
    const instance = this.#instance
    if (instance === null) {
      if (this.#queue.size > 0) this.wake(nowMs)
      return
    }
    const { rate, manifest } = instance.generation
    const { concurrency } = manifest.runtime
    while (this.#queue.size > 0 && instance.canTakeCall) {
      if (instance.inFlightCount + this.#aside.checking >= concurrency) return
      const waitMs = rate === null ? 0 : rate.take(nowMs)
      if (waitMs > 0) {
        this.#pumpIn(waitMs)
        return
      }
      this.#handOut(this.#queue.shift(nowMs)!, instance, nowMs)
    }
  }

  /** Starts a process where none runs, as soon as it may. */
  wake(nowMs = performance.now()): void {
    if (this.#instance !== null || this.#starting !== null || this.#retry !== null) return
    if (this.#refusal !== null) return
    if (this.#holders > 0) {
      this.#isWokenHeld = true
      return
    }
    const delayMs = this.#powers.startDelayMs(this, nowMs)
    if (delayMs === null) return
    if (delayMs === 0) this.#starting = this.#start()
    else this.#pumpIn(delayMs, () => this.wake())
  }

  /** The same, once the start that failed just now is over. */
  wakeSoon(): void {
    this.#pumpIn(0, () => this.wake())
  }

  /** Settles when no process is being started. One that waits for other plugins may wait for long, and is none yet. */
  async spawned(): Promise<void> {
    if (!this.#awaitsOthers) await this.#starting
  }

  /** Settles when no start is on its way. */
  async settled(): Promise<void> {
    await this.#starting
  }

  answered(instance: RunnerInstance, execution: Execution, answer: Answer): void {
    try {
      this.#powers.onAnswer(instance, execution, answer)
    } catch (error) {
      // A defect of ours, met by what a hostile process said: it fails that call, not the daemon.
      execution.settle({ kind: 'rejected', error })
    }
    if (instance.inFlightCount === 0) this.#draining.get(instance)?.end()
    this.pump(instance.lastCallAtMs)
  }

  exited(instance: RunnerInstance, end: Omit<EndedInstance, 'instance' | 'role'>): void {
    const role = this.#letGo(instance)
    if (role === 'active') this.#forgetRetry()
    this.#powers.onExit(this, { ...end, instance, role })
    this.pump()
    if (this.isVacant) this.#powers.onVacant(this)
  }

  /** From now on calls wait. As often as it was called, `release` must be. */
  hold(): void {
    this.#holders += 1
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0 && this.#isWokenHeld) {
      this.#isWokenHeld = false
      this.wake()
    }
    this.pump()
  }

  /** Calls go to `next` from now on, or to a process that the next call starts; the one before ends its calls. */
  switchTo(next: RunnerInstance | null, drainTimeoutMs: number): void {
    // Nobody would ever end it in a closed lane, or hear that it died on its way here.
    if (this.#refusal !== null || next?.state !== 'ready') {
      void next?.end('reload')
      next = null
    }
    const before = this.#instance
    this.#instance = next
    void this.#standby?.end('reload')
    this.#standby = null
    this.#forgetRetry()
    if (before !== null) this.drain(before, drainTimeoutMs)
    this.pump()
  }

  /** Lets the calls of a process end, then the process; at the deadline both. */
  drain(instance: RunnerInstance, timeoutMs: number, cause: EndCause = 'reload'): void {
    if (this.#instance === instance) this.#instance = null
    if (this.#standby === instance) this.#standby = null
    if (instance.inFlightCount === 0) timeoutMs = 0
    const end = (): void => void instance.end(cause)
    this.#draining.set(instance, { end, deadline: setTimeout(end, timeoutMs) })
    if (timeoutMs === 0) end()
  }

  /** Lets the calls of every process end, then the processes, the standby too. Settles when they are gone. */
  async retire(drainTimeoutMs: number): Promise<void> {
    this.#isRetiring = true
    await this.#starting
    for (const instance of [this.#instance, this.#standby])
      if (instance !== null) this.drain(instance, drainTimeoutMs, 'stop')
    await Promise.all(Array.from(this.#draining.keys(), (draining) => draining.gone))
    this.#isRetiring = false
  }

  /** Nobody has called for long: the process goes, and its standby with it. */
  stopIdle(instance: RunnerInstance): void {
    if (this.#instance !== instance) return
    this.drain(instance, 0, 'idle')
    void this.#standby?.end('idle')
    this.#standby = null
  }

  /** Keeps a process with loaded code beside the one that serves. */
  adoptStandby(standby: RunnerInstance): void {
    this.#standby = standby
  }

  /** The plugin gave up, or is not to run: calls that wait get `error`. */
  refuseWaiting(error: unknown): void {
    const waiting = [...this.#queue.drain(), ...this.#aside.drain()]
    this.plugin.queuedCalls -= waiting.length
    for (const execution of waiting) execution.settle({ kind: 'rejected', error })
  }

  /** Ends all processes for good: calls that wait, and all that come later, get `refusal`. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#refusal = refusal
    this.#forgetRetry()
    this.refuseWaiting(refusal)
    await Promise.all(Array.from(this.instances(), (instance) => instance.end(cause)))
    await this.#starting
  }

  #handOut(execution: Execution, instance: RunnerInstance, nowMs: number): void {
    if (this.#setAside(execution, instance)) return
    this.plugin.queuedCalls -= 1
    const { generation } = instance
    if (!generation.takes(execution.call)) {
      execution.settle({ kind: 'rejected', error: droppedOperationError(execution.call, generation) })
      return
    }
    this.#powers.onDispatch(execution, instance, nowMs)
    instance.dispatch(execution, nowMs)
  }

  #refuses(execution: Execution): boolean {
    return this.#refusal !== null && execution.settle({ kind: 'rejected', error: this.#refusal })
  }

  #setAside(execution: Execution, instance: RunnerInstance): boolean {
    if (this.#aside.park(execution, () => this.#enqueue(execution, performance.now()))) return true
    return this.#aside.check(execution, instance, {
      checkInput: this.#powers.checkInput,
      back: (isWanted) => {
        if (isWanted) this.#queue.pushFront(execution, placeOf(execution, performance.now()))
        this.pump()
      },
    })
  }

  #enqueue(execution: Execution, nowMs: number): void {
    this.#queue.push(execution, placeOf(execution, nowMs))
    this.pump(nowMs)
  }

  #pumpIn(delayMs: number, run: () => void = () => this.pump()): void {
    if (this.#retry !== null) return
    this.#retry = setTimeout(() => {
      this.#retry = null
      run()
    }, Math.ceil(delayMs))
  }

  #forgetRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
  }

  #letGo(instance: RunnerInstance): EndedInstance['role'] {
    const drain = this.#draining.get(instance)
    if (drain !== undefined) {
      clearTimeout(drain.deadline)
      this.#draining.delete(instance)
      return 'draining'
    }
    if (this.#standby === instance) {
      this.#standby = null
      return 'standby'
    }
    if (this.#instance !== instance) return 'next'
    this.#instance = null
    return 'active'
  }

  async #start(): Promise<void> {
    const generation = this.plugin.current
    try {
      if (generation.manifest.runtime.exclusive)
        await Promise.all(Array.from(this.#draining.keys(), (before) => before.gone))
      this.#awaitsOthers = true
      await this.#powers.startDependencies(this, generation)
      this.#awaitsOthers = false
      const instance = this.#takeStandby() ?? (await this.#powers.spawnInstance(this, generation))
      // Another generation came meanwhile: the calls wait for that one, or are with it already.
      if (generation === this.plugin.current) await this.#startHere(instance)
      else await instance.end('reload')
    } catch (error) {
      // Another generation came meanwhile and ended it: the calls wait for that one.
      if (generation === this.plugin.current) {
        // Before its calls hear of it: what they do next must find the plugin as it is now.
        this.#powers.onStartFailed(this, generation, error)
        this.refuseWaiting(error)
      }
    } finally {
      this.#awaitsOthers = false
      this.#starting = null
    }
    this.pump()
    if (this.isVacant) this.#powers.onVacant(this)
  }

  #takeStandby(): RunnerInstance | null {
    const standby = this.#standby
    if (standby === null || !standby.isPreloaded || standby.state !== 'starting') return null
    this.#standby = null
    return standby
  }

  async #startHere(instance: RunnerInstance): Promise<void> {
    this.#instance = instance
    if (this.#refusal === null) await instance.start()
    else await instance.end('host_shutdown')
    if (instance.state === 'ready') this.#powers.onReady(this, instance)
  }
}

function placeOf({ call: { priority, caller } }: Execution, nowMs: number): QueuePlace {
  return { priority, caller, nowMs }
}
