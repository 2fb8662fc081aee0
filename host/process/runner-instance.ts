import { LOG_LEVELS, type LogLevel, type PluginLogLine } from '../../src/contract/execution.ts'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import type { InstanceState } from '../../src/contract/life.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { messageOf, type PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { Connection, type Answer } from '../../src/rpc/connection.ts'
import { IdTable } from '../../src/rpc/id-table.ts'
import { ProcessSampler } from '../monitor/process-sampler.ts'
import { escapeControl } from '../observe/escape-control.ts'
import type { RunnerPlan } from '../sandbox/plan-runner.ts'
import { nextInstanceState, type InstanceEvent } from '../supervisor/instance-state.ts'
import type { Execution } from '../execution/execution.ts'
import { classifyExit, describeExit, type EndCause } from './exit-reason.ts'
import { endProcess } from './kill-ladder.ts'
import { boundedReport } from './plugin-report.ts'
import { RunnerOutput, type OutputLine } from './runner-output.ts'
import { spawnRunner, type SpawnedRunner } from './spawn-runner.ts'
import { startError } from './start-error.ts'

interface InstanceReach {
  readonly readPaths: readonly string[]
  readonly writePaths: readonly string[]
  /** Folders with a right to write that calls may leave files in: not its private ones. */
  readonly grantedWritePaths: readonly string[]
}

export interface InstanceSpec {
  readonly plan: RunnerPlan
  readonly uid: number | null
  /** What it may reach, as it was granted at its start; canonical and absolute. */
  readonly reach: InstanceReach
  readonly initialize: RunnerParams['initialize']
  readonly startTimeoutMs: number
  readonly shutdownMs: number
}

export interface InstanceEvents {
  /** An answer to a dispatched call. */
  onAnswer(execution: Execution, answer: Answer): void
  /** The process is gone; these calls were in flight. Called once. */
  onExit(exit: ExitInfo, inFlight: readonly Execution[]): void
  /** The channel has room again. */
  onDrain(): void
  onLog(line: Omit<PluginLogLine, 'plugin_id' | 'time'>): void
}

/** Causes that say nothing against the process: it gets its time to shut down. */
const GRACEFUL: ReadonlySet<EndCause> = new Set(['stop', 'start_failed', 'operator', 'host_shutdown'])
/** A channel that ends waits this long for the exit, which knows more. */
const EXIT_AFTER_CHANNEL_MS = 1000
/** Pipes close right after the exit, unless something outside of a pid namespace still holds them. */
const LAST_OUTPUT_MS = 200

/** One process of a plugin: its channel, its calls in flight, its end. All that it says is hostile. */
export class RunnerInstance {
  readonly spec: InstanceSpec
  readonly startedAt = new Date()
  readonly #events: InstanceEvents
  readonly #runner: SpawnedRunner
  readonly #connection: Connection
  readonly #inFlight = new IdTable<Execution>()
  #dispatched = 0
  readonly #spawnedAtMs = performance.now()
  readonly #output: RunnerOutput
  readonly #gone: Promise<void>
  #state: InstanceState = 'starting'
  #pid: number | null = null
  #sampler: ProcessSampler | null = null
  #readyMs: number | null = null
  #idleRssBytes = 0
  #cause: EndCause | null = null
  #ending: Promise<void> | null = null
  #reported: { metadata: unknown; capabilities: unknown } | null = null

  /** Spawns at once; `start()` makes it ready. */
  constructor(spec: InstanceSpec, events: InstanceEvents) {
    this.spec = spec
    this.#events = events
    this.#runner = spawnRunner(spec.plan)
    this.#connection = new Connection(this.#runner.channel, {
      maxPayloadBytes: spec.initialize.max_payload_bytes,
      payloadFrames: true,
      strict: true,
      mayFree: () => true,
      onRequest: (request) =>
        this.#violated(`it called "${String(request.method).slice(0, 80)}" on the host`),
      onNotification: (method, params) => this.#notified(method, params),
      onStrayAnswer: (id) =>
        this.#violated(`it answered a call that was never made (id ${JSON.stringify(id)?.slice(0, 40)})`),
      onClose: (error) => this.#channelClosed(error),
      onDrain: () => events.onDrain(),
    })
    this.#output = new RunnerOutput(this.#runner, (line) => this.#printed(line))
    this.#gone = this.#runner.exited.then((end) => this.#exited(end))
  }

  get state(): InstanceState {
    return this.#state
  }
  get pid(): number | null {
    return this.#pid
  }
  get readyMs(): number | null {
    return this.#readyMs
  }
  get sampler(): ProcessSampler | null {
    return this.#sampler
  }
  /** Resident memory when it became ready: what the allowance of `max_memory_mb` stands on. */
  get idleRssBytes(): number {
    return this.#idleRssBytes
  }
  get inFlightCount(): number {
    return this.#inFlight.size
  }
  get reported(): { metadata: unknown; capabilities: unknown } | null {
    return this.#reported
  }
  get canTakeCall(): boolean {
    return this.#state === 'ready' && !this.#connection.isClosed && !this.#connection.isOverBudget
  }
  /** @throws PhantomError PLUGIN_START_FAILED or PLUGIN_START_TIMEOUT; the process is gone then. */
  async start(): Promise<void> {
    const answer = await this.#call('initialize', this.spec.initialize, this.spec.startTimeoutMs)
    if (answer === null || answer.error !== null || this.#state !== 'starting') {
      const error = await this.#failStart(answer)
      throw error
    }
    const result = (answer.result ?? {}) as { metadata?: unknown; capabilities?: unknown }
    this.#reported = {
      metadata: boundedReport(result.metadata),
      capabilities: boundedReport(result.capabilities),
    }
    this.#readyMs = performance.now() - this.#spawnedAtMs
    this.#learnPid(this.#runner.findPid())
    this.#idleRssBytes = this.#sampler?.sample(performance.now()).rssBytes ?? 0
    if (this.#state === 'starting') this.#move('initialized')
  }

  dispatch(execution: Execution, nowMs: number): void {
    const { operation, onProgress } = execution.call
    const params: RunnerParams['execute'] = {
      operation,
      timeout_ms: Math.max(1, Math.round(execution.deadlineMs - nowMs)),
    }
    if (onProgress !== null) params.progress = true
    execution.shared = this.#inFlight.size > 0
    this.#dispatched += 1
    const dispatched = this.#dispatched
    execution.sampleAtStart = this.#sampler?.sample(nowMs) ?? null
    const id = this.#connection.request('execute', params, execution.input, (answer) => {
      // An end of the channel is not an answer: the exit, which knows more, settles the call.
      if (this.#connection.isClosed) return
      this.#inFlight.delete(id)
      execution.shared ||= this.#dispatched !== dispatched
      this.#events.onAnswer(execution, answer)
    })
    execution.input = null
    execution.channelId = id
    execution.executionId = this.spec.initialize.execution_id_prefix + id.toString(36)
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
    const { execution_id_prefix: prefix } = this.spec.initialize
    if (!executionId.startsWith(prefix)) return null
    const id = Number.parseInt(executionId.slice(prefix.length), 36)
    return Number.isSafeInteger(id) && id >= 0 ? (this.#inFlight.get(id) ?? null) : null
  }

  /** What the plugin's own `health()` says; null when it says nothing in time. */
  async health(timeoutMs: number): Promise<unknown> {
    if (this.#state !== 'ready') return null
    const answer = await this.#call('health', {}, timeoutMs)
    if (answer === null || answer.error !== null) return null
    return boundedReport((answer.result as { health?: unknown } | null)?.health)
  }

  /** Walks down the kill ladder; settles when the process is confirmed gone. Idempotent, the first cause stands. */
  end(cause: EndCause): Promise<void> {
    const isTrusted = GRACEFUL.has(cause)
    this.#cause ??= cause
    if (this.#state === 'starting' || this.#state === 'ready') this.#move('drain')
    this.#ending ??= endProcess(
      {
        requestShutdown: () => this.#connection.request('shutdown', {}, null, () => {}),
        signal: (signal) => this.#runner.signal(signal),
        exited: this.#gone,
      },
      isTrusted ? this.spec.shutdownMs : 0,
    )
    if (!isTrusted) this.#runner.signal('SIGKILL')
    return this.#ending
  }

  #move(event: InstanceEvent): void {
    this.#state = nextInstanceState(this.#state, event)
  }

  #call(method: keyof RunnerParams, params: object, timeoutMs: number): Promise<Answer | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeoutMs)
      this.#connection.request(method, params, null, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
    })
  }

  async #failStart(answer: Answer | null): Promise<PhantomError> {
    const timedOut = answer === null
    const hadEnded = this.#cause
    const channelLost = this.#connection.isClosed
    await (channelLost ? this.#goneOrKilled() : this.end(timedOut ? 'start_timeout' : 'start_failed'))
    return startError({
      spec: this.spec,
      answer: channelLost ? null : answer,
      timedOut: timedOut && !channelLost,
      cause: hadEnded,
      stderrTail: this.#output.stderrTail,
    })
  }

  async #goneOrKilled(): Promise<void> {
    const late = setTimeout(() => void this.end('protocol'), EXIT_AFTER_CHANNEL_MS)
    await this.#gone
    clearTimeout(late)
  }

  #learnPid(pid: number | null): void {
    if (pid === null || this.#pid !== null || this.#state === 'stopped') return
    this.#pid = pid
    this.#sampler = new ProcessSampler(pid)
  }

  #violated(what: string): void {
    if (this.#state === 'stopped') return
    this.#logHost('error', `protocol violation, the process is ended: ${what}`)
    void this.end('protocol')
  }

  #logHost(level: LogLevel, message: string): void {
    this.#events.onLog({ level, source: 'host', execution_id: null, message })
  }

  #notified(method: string, params: unknown): void {
    const { level, message, execution_id: executionId, id, fraction } = params as Record<string, unknown>
    if (method === 'log' && typeof message === 'string' && isLogLevel(level)) {
      this.#logged(level, message.slice(0, MAX_PLUGIN_TEXT_CHARS), executionId)
    } else if (method === 'progress' && typeof id === 'number') {
      this.#progressed(id, fraction, message)
    } else {
      this.#violated(`it sent "${method.slice(0, 80)}" with params that the contract does not allow`)
    }
  }

  #logged(level: LogLevel, message: string, executionId: unknown): void {
    const execution = typeof executionId === 'string' ? this.findInFlight(executionId) : null
    execution?.addLog(level, escapeControl(message))
    this.#events.onLog({ level, source: 'log', execution_id: execution?.executionId ?? null, message })
  }

  #progressed(id: number, fraction: unknown, message: unknown): void {
    const execution = Number.isSafeInteger(id) && id >= 0 ? this.#inFlight.get(id) : undefined
    if (execution === undefined || execution.isSettled) return
    execution.call.onProgress?.({
      execution_id: execution.executionId!,
      fraction: typeof fraction === 'number' ? Math.min(1, Math.max(0, fraction)) : null,
      message: typeof message === 'string' ? message.slice(0, MAX_PLUGIN_TEXT_CHARS) : null,
    })
  }

  /** A line names a call only while exactly one is in flight. */
  #printed(line: OutputLine): void {
    const only = this.#inFlight.size === 1 ? this.#inFlight.values().next().value : undefined
    only?.addLog(line.level, escapeControl(line.message))
    this.#events.onLog({ ...line, execution_id: only?.executionId ?? null })
  }

  #channelClosed(error: PhantomError | null): void {
    if (this.#state === 'stopped' || this.#cause !== null) return
    if (error?.code === 'PROTOCOL_VIOLATION') {
      this.#violated(messageOf(error))
      return
    }
    // End of file: the process is ending by itself, or it closed fd 3 and must not live on.
    void this.#goneOrKilled()
  }

  async #exited(end: { code: number | null; signal: NodeJS.Signals | null }): Promise<void> {
    await Promise.race([
      this.#output.closed,
      new Promise((resolve) => setTimeout(resolve, LAST_OUTPUT_MS).unref()),
    ])
    this.#move('exited')
    this.#sampler?.close()
    this.#output.close()
    this.#connection.destroy()
    if (this.#output.cutBytes > 0)
      this.#logHost('warn', `${this.#output.cutBytes} bytes of over-long lines were cut off`)
    const processEnd = { ...end, cause: this.#cause, stderrTail: this.#output.stderrTail }
    const exitClass = classifyExit(processEnd)
    const inFlight = [...this.#inFlight.values()]
    this.#inFlight.clear()
    this.#events.onExit(
      {
        class: exitClass,
        at: new Date().toISOString(),
        generation: this.spec.initialize.generation,
        code: end.code,
        signal: end.signal,
        message: describeExit(processEnd, exitClass),
      },
      inFlight,
    )
  }
}

function isLogLevel(value: unknown): value is LogLevel {
  return LOG_LEVELS.includes(value as LogLevel)
}
