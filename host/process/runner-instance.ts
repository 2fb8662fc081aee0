import type { InstanceState } from '../../src/contract/life.ts'
import { messageOf, type PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerHook, RunnerParams } from '../../src/contract/runner-methods.ts'
import type { Answer, Connection } from '../../src/rpc/connection.ts'
import { IdTable } from '../../src/rpc/id-table.ts'
import { attestationError } from '../sandbox/attest/attestation-error.ts'
import type { Attestation } from '../sandbox/attest/attestation.ts'
import { DenialWatch } from '../denials/denial-watch.ts'
import { nextInstanceState, type InstanceEvent } from '../supervisor/instance-state.ts'
import type { Execution } from '../execution/execution.ts'
import { limitError, type LimitBreach } from '../execution/limit-error.ts'
import type { Generation } from '../generations/generation.ts'
import { announcedTooMuch } from './announced-result.ts'
import { executionIdOf, requestIdOf } from './execution-id.ts'
import { GRACEFUL, toExitInfo, type EndCause, type ProcessEnd } from './exit-reason.ts'
import type { InstanceEvents, InstanceSpec } from './instance-spec.ts'
import { paramsOf } from './call-params.ts'
import { openChannel } from './runner-channel.ts'
import { endProcess } from './kill-ladder.ts'
import { PluginWords } from './plugin-words.ts'
import { refusedAnswer } from './refused-answer.ts'
import { Questions } from './questions.ts'
import { hooksIn } from './runner-hooks.ts'
import { RunnerFigures } from './runner-figures.ts'
import { reportedIn, type Reported } from './plugin-report.ts'
import { RunnerOutput } from './runner-output.ts'
import { spawnRunner, type SpawnedRunner } from './spawn-runner.ts'
import { initializeParams, preloadParams } from './start-params.ts'
import { startError } from './start-error.ts'
import { limitAtStart } from './start-limit.ts'

/** A channel that ends waits this long for the exit, which knows more. */
const EXIT_AFTER_CHANNEL_MS = 1000

/** One process of a plugin: its channel, its calls in flight, its end. All that it says is hostile. */
export class RunnerInstance {
  readonly spec: InstanceSpec
  readonly denials: DenialWatch
  readonly startedAt = new Date()
  readonly figures = new RunnerFigures()
  /** Its plugin's code may run beside its main thread. */
  readonly isThreaded: boolean
  /** What was read back before its plugin's code was loaded. */
  readonly attestation: Attestation
  /** Settles when the process is gone. */
  readonly gone: Promise<void>
  readonly #events: InstanceEvents
  readonly #runner: SpawnedRunner
  readonly #connection: Connection
  readonly #inFlight = new IdTable<Execution>()
  #dispatched = 0
  readonly #spawnedAtMs = performance.now()
  readonly #output: RunnerOutput
  readonly #words: PluginWords
  readonly #questions = new Questions()
  #state: InstanceState = 'starting'
  #cause: EndCause | null = null
  #end: ProcessEnd | null = null
  #ending: Promise<void> | null = null
  #reported: Reported | null = null
  #hooks: ReadonlySet<RunnerHook> = new Set()
  #isPreloaded = false
  #breach: LimitBreach | null = null
  #lastCallAtMs = this.#spawnedAtMs
  /** Inputs that are sent again should the process die. */
  readonly #kept = new WeakSet<Uint8Array>()

  /** Spawns at once; `start()` makes it ready. */
  constructor(spec: InstanceSpec, events: InstanceEvents) {
    this.spec = spec
    this.isThreaded = spec.initialize.threads > 0
    this.#events = events
    this.#words = new PluginWords(
      events,
      { inFlight: this.#inFlight, byExecutionId: (id) => this.findInFlight(id) },
      spec.logLevel,
    )
    this.denials = DenialWatch.of(spec.reach, events)
    this.#runner = spawnRunner(spec.plan, spec)
    this.attestation = spec.attestor.begin(spec.generation, spec.plan.expected, () => this.#runner.findPid())
    this.#connection = openChannel(this.#runner.channel, {
      maxPayloadBytes: spec.initialize.max_payload_bytes,
      mayFree: (payload) => !this.#kept.has(payload),
      onNotification: (method, params) =>
        this.#words.notified(method, params) ||
        (method === 'denied' && this.denials.reported(params, this.#words.onlyCall())),
      onMessage: events.onMessage,
      onViolation: (what) => this.#violated(what),
      onClose: (error) => this.#channelClosed(error),
      onDrain: () => events.onDrain(),
    })
    this.#output = new RunnerOutput(this.#runner, {
      onLine: (line) => this.#words.printed(line),
      redactor: events.redactor,
    })
    this.gone = this.#runner.exited.then((end) => this.#exited(end))
  }

  get generation(): Generation {
    return this.spec.generation
  }
  get state(): InstanceState {
    return this.#state
  }
  get pid(): number | null {
    return this.figures.pid
  }
  /** When a call began or ended last, on the monotonic clock. */
  get lastCallAtMs(): number {
    return this.#lastCallAtMs
  }
  /** Its code was loaded ahead of its start. */
  get isPreloaded(): boolean {
    return this.#isPreloaded
  }
  get inFlightCount(): number {
    return this.#inFlight.size
  }
  get reported(): Reported | null {
    return this.#reported
  }
  get canTakeCall(): boolean {
    return this.#state === 'ready' && !this.#connection.isClosed && !this.#connection.isOverBudget
  }
  /**
   * Loads the code and no more: for a standby.
   *
   * @throws PhantomError PLUGIN_START_FAILED or PLUGIN_START_TIMEOUT; the process is gone then.
   */
  async preload(): Promise<void> {
    await this.#attest()
    // Behind a gate nothing of the plugin may run ahead: that it is held there is all.
    if (!this.spec.plan.expected.isGated) await this.#askToStart('preload', preloadParams(this.spec))
    this.#isPreloaded = true
  }

  /**
   * @param previousState what the generation before exported; undefined where it did not
   * @throws PhantomError PLUGIN_START_FAILED or PLUGIN_START_TIMEOUT; the process is gone then.
   */
  async start(previousState?: unknown): Promise<void> {
    const startedAtMs = this.#isPreloaded ? performance.now() : this.#spawnedAtMs
    if (!this.#isPreloaded) await this.#attest()
    this.figures.data?.begin(() => this.#state === 'starting')
    const result = await this.#askToStart('initialize', initializeParams(this.spec, previousState))
    const refused = refusedAnswer(this.spec, result)
    if (refused !== null) await this.end('start_failed')
    if (refused !== null) throw refused
    this.#reported = reportedIn(result)
    this.#hooks = hooksIn((result as { hooks?: unknown } | null)?.hooks)
    this.figures.becameReady(performance.now(), startedAtMs)
    if (this.#state === 'starting') this.#move('initialized')
  }

  dispatch(execution: Execution, nowMs: number): void {
    const { message } = execution.call
    const timeoutMs = Math.max(1, Math.round(execution.deadlineMs - nowMs))
    const method = message === null ? 'execute' : 'message'
    const params = paramsOf(execution.call, timeoutMs)
    execution.shared = this.#inFlight.size > 0
    this.#dispatched += 1
    const dispatched = this.#dispatched
    execution.sampleAtStart = this.figures.sampler?.sample(nowMs) ?? null
    execution.instance = this
    this.figures.data?.begin(() => this.#inFlight.size > 0)
    this.#lastCallAtMs = nowMs
    const { input } = execution
    if (execution.mayRetry && input !== null) this.#kept.add(input)
    const id = this.#connection.request(method, params, input, (answer) => {
      // An end of the channel is not an answer: the exit, which knows more, settles the call.
      if (this.#connection.isClosed) return
      if (answer.error === null && answer.result !== null && message === null)
        return this.#violated(
          'it answered "execute" with a result in its line; one goes behind it, as payload',
        )
      this.#inFlight.delete(id)
      execution.shared ||= this.#dispatched !== dispatched
      this.#lastCallAtMs = performance.now()
      this.#events.onAnswer(execution, this.#words.inAnswer(answer))
    })
    if (!execution.mayRetry) execution.input = null
    execution.channelId = id
    execution.executionId = executionIdOf(this.spec.initialize.execution_id_prefix, id)
    this.#inFlight.set(id, execution)
  }

  /** Tells the plugin that nobody waits for this call any more. Its answer still frees its place. */
  cancel(execution: Execution): void {
    if (execution.channelId !== null) this.#connection.notify('cancel', { id: execution.channelId })
  }

  isInFlight(execution: Execution): boolean {
    return execution.channelId !== null && this.#inFlight.get(execution.channelId) === execution
  }

  findInFlight(executionId: string): Execution | null {
    const id = requestIdOf(this.spec.initialize.execution_id_prefix, executionId)
    return id === null ? null : (this.#inFlight.get(id) ?? null)
  }

  /** Calls that it has not answered. */
  inFlight(): readonly Execution[] {
    return [...this.#inFlight.values()]
  }

  /** Ends the call that went over a limit, and the process with it: what was stopped halfway is not gone on with. */
  breakLimit(execution: Execution | null, breach: LimitBreach, cause: 'cpu_limit' | 'resource_limit'): void {
    if (this.#cause === null) this.#breach = breach
    execution?.settle({ kind: 'rejected', error: limitError(execution, breach) })
    void this.end(cause)
  }

  /** What it announces beyond it from now on ends it. */
  limitPayloads(maxPayloadBytes: number): void {
    this.#connection.limitPayloads(maxPayloadBytes)
  }

  hasHook(hook: RunnerHook): boolean {
    return this.#hooks.has(hook)
  }

  /** Asks the runner; null when it does not answer in time. For what stands beside calls, see `runner-hooks.ts`. */
  call(method: keyof RunnerParams, params: object, timeoutMs: number): Promise<Answer | null> {
    // What is exported goes back to the plugin itself, whole; the canary knows no secret.
    const isRaw = method === 'export_state' || method === 'attest'
    return this.#questions.ask(timeoutMs, (answered) =>
      this.#connection.request(method, params, null, (answer) =>
        answered(isRaw ? answer : this.#words.inAnswer(answer)),
      ),
    )
  }

  /** Walks down the kill ladder; settles when the process is confirmed gone. Idempotent, the first cause stands. */
  end(cause: EndCause): Promise<void> {
    // At a gate nothing runs yet that could be asked, and the question would let it run.
    const mayWait = this.spec.plan.expected.isGated && this.figures.readyAtMs === null
    const isTrusted = GRACEFUL.has(cause) && !mayWait
    this.#cause ??= cause
    if (this.#state === 'starting' || this.#state === 'ready') this.#move('drain')
    this.#ending ??= endProcess(
      {
        requestShutdown: () => this.#connection.request('shutdown', {}, null, () => {}),
        signal: (signal) => this.#runner.signal(signal),
        exited: this.gone,
      },
      isTrusted ? this.spec.shutdownMs : 0,
    )
    if (!isTrusted) this.#runner.signal('SIGKILL')
    return this.#ending
  }

  #move(event: InstanceEvent): void {
    this.#state = nextInstanceState(this.#state, event)
  }

  /** Before anything of the plugin is sent: a process that is not held as declared never gets it. */
  async #attest(): Promise<void> {
    const differences = await this.attestation.run(async (params) => {
      const result = await this.#askToStart('attest', params)
      // A busy daemon may hear of the answer first: which of two pipes is read first is nobody's promise.
      return this.#runner.located.then(() => ({ result }))
    })
    const error =
      attestationError(this.spec.initialize.plugin_id, differences) ??
      (await this.#runner.seal(this.generation.limits))
    if (error === null) return this.#learnPid()
    await this.end('not_attested')
    this.#events.onNotAttested(error)
    throw error
  }

  /** Rejects where it does not take that step of its start; the process is gone then. */
  async #askToStart(method: keyof RunnerParams, params: object): Promise<unknown> {
    const answer = await this.call(method, params, this.spec.startTimeoutMs)
    if (answer === null || answer.error !== null || this.#state !== 'starting')
      throw await this.#failStart(answer)
    return answer.result
  }

  async #failStart(answer: Answer | null): Promise<PhantomError> {
    const timedOut = answer === null
    const hadEnded = this.#cause
    const channelLost = this.#connection.isClosed
    const limit = limitAtStart(this, channelLost ? null : answer)
    await (channelLost ? this.#goneOrKilled() : this.end(timedOut ? 'start_timeout' : 'start_failed'))
    return startError(this, {
      answer: channelLost ? null : answer,
      timedOut: timedOut && !channelLost,
      cause: hadEnded,
      end: this.#end,
      limit,
    })
  }

  async #goneOrKilled(): Promise<void> {
    const late = setTimeout(() => this.#violated('it closed its descriptor 3'), EXIT_AFTER_CHANNEL_MS)
    await this.gone
    clearTimeout(late)
  }

  #learnPid(): void {
    this.figures.learn(this.#runner, this.spec, (why) => {
      this.#words.ofHost('error', `it can't be held to its max_cpu_percent, the process is ended: ${why}`)
      void this.end('not_attested')
    })
  }

  #violated(what: string): void {
    if (this.#state === 'stopped') return
    this.#words.violated(what)
    void this.end('protocol')
  }

  #channelClosed(error: PhantomError | null): void {
    if (this.#state === 'stopped' || this.#cause !== null) return
    if (error?.code === 'PROTOCOL_VIOLATION') {
      const announced = announcedTooMuch(error, this.generation.limits)
      const execution = announced === null ? undefined : this.#inFlight.get(announced.id)
      if (announced === null || execution === undefined) this.#violated(messageOf(error))
      else this.breakLimit(execution, announced.breach, 'resource_limit')
      return
    }
    // End of file: the process is ending by itself, or it closed fd 3 and must not live on.
    void this.#goneOrKilled()
  }

  async #exited({ wasOutOfMemory, ...end }: Awaited<SpawnedRunner['exited']>): Promise<void> {
    if (wasOutOfMemory) this.#cause ??= 'memory_limit'
    const isNearMemoryLimit = this.figures.data?.isNearLimit(performance.now()) ?? false
    this.#connection.takeLastWords()
    await this.#output.ended()
    this.#move('exited')
    this.figures.close()
    this.attestation.close()
    this.#output.close()
    this.#connection.destroy()
    if (this.#output.cutBytes > 0)
      this.#words.ofHost('warn', `${this.#output.cutBytes} bytes of over-long lines were cut off`)
    this.#end = {
      ...end,
      isIdle: this.figures.readyAtMs !== null && this.#inFlight.size === 0,
      cause: this.#cause,
      violation: this.#cause === 'protocol' ? this.#words.violation : null,
      breach: this.#breach,
      isNearMemoryLimit,
      stderrTail: this.#output.stderrTail,
    }
    const inFlight = [...this.#inFlight.values()]
    this.#inFlight.clear()
    try {
      this.#events.onExit(toExitInfo(this.#end, this.generation.number), inFlight, this.#cause)
    } catch (error) {
      // A defect of ours: it must not end the daemon, whose every plugin would end with it.
      this.#words.ofHost('error', `its end was not handled as it should: ${messageOf(error)}`)
    }
  }
}
