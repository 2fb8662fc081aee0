import { randomBytes } from 'node:crypto'
import type { ExecutionProgress } from '../../src/contract/execution.ts'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { cancelledError, deadlineError, exitError, memoryError, runnerError, type MemoryUse } from './call-errors.ts'
import { findCreatedFiles } from './created-files.ts'
import { Execution, type DeadlineOwner, type Settlement } from './execution.ts'
import { toResult } from './execution-result.ts'
import { InstanceLane } from './instance-lane.ts'
import { TimingWheel, type WheelEntry } from './timing-wheel.ts'

/** A call as control hands it over: authorised, its plugin found, its workspace canonical. */
export interface CallRequest {
  readonly plugin: RunnablePlugin
  readonly operation: string
  readonly workspace: string
  readonly input: Buffer | null
  readonly timeoutMs: number | null
  readonly onProgress: ((progress: ExecutionProgress) => void) | null
  readonly onSettled: (settlement: Settlement) => void
}

/** What the executor needs from the world. */
export interface ExecutorPowers {
  spawnInstance(plugin: RunnablePlugin, lane: InstanceLane): Promise<RunnerInstance>
  /** Folders that the plugin may write in that workspace; empty for most plugins. */
  writePathsOf(plugin: RunnablePlugin, workspace: string): readonly string[]
  onExit(plugin: RunnablePlugin, exit: ExitInfo): void
  readonly cancelGraceMs: number
}

/** Deadlines are kept to this grain; a call is answered at most this late. */
const TICK_MS = 10

/** Takes calls to their instances and back, owns their deadlines, and answers each exactly once. */
export class Executor {
  readonly #powers: ExecutorPowers
  readonly #wheel = new TimingWheel({ now: () => performance.now(), tickMs: TICK_MS })
  readonly #running = new Map<string, { execution: Execution; lane: InstanceLane }>()
  readonly #lanes = new Set<InstanceLane>()
  readonly #plugins = new WeakMap<InstanceLane, RunnablePlugin>()
  readonly #idPrefix = randomBytes(5).toString('hex')
  #accepted = 0
  #failed = 0
  #refusal: PhantomError | null = null

  constructor(powers: ExecutorPowers) {
    this.#powers = powers
  }

  get lanes(): ReadonlySet<InstanceLane> {
    return this.#lanes
  }

  figures(): { in_flight: number; queued: number; total: number; failed: number } {
    let queued = 0
    for (const lane of this.#lanes) queued += lane.queuedCount
    return { in_flight: this.#running.size - queued, queued, total: this.#accepted, failed: this.#failed }
  }

  /** Takes a call; `onSettled` is called exactly once, never before this returns its id. */
  submit(call: CallRequest): string {
    this.#accepted += 1
    const executionId = `${this.#idPrefix}-${this.#accepted.toString(36)}`
    const lane = this.#laneOf(call.plugin, call.workspace)
    const execution = new Execution(
      {
        executionId,
        pluginId: call.plugin.id,
        operation: call.operation,
        timeoutMs: call.timeoutMs,
        ...runLimitOf(call),
        onProgress: call.onProgress,
        onSettled: (settlement) => {
          this.#wheel.remove(execution)
          this.#running.delete(executionId)
          if (settlement.kind === 'rejected') this.#failed += 1
          call.onSettled(settlement)
        },
      },
      { input: call.input, nowMs: performance.now(), onDeadline: (late) => this.#expire(late, lane) },
    )
    this.#running.set(executionId, { execution, lane })
    if (call.timeoutMs !== null) this.#wheel.add(execution)
    lane.submit(execution)
    return executionId
  }

  /** False when no such call runs (any more). */
  cancel(executionId: string): boolean {
    const running = this.#running.get(executionId)
    if (running === undefined) return false
    const { execution, lane } = running
    const wasSettled = !execution.settle({ kind: 'rejected', error: cancelledError(execution) })
    if (!wasSettled) this.#abandon(execution, lane)
    return !wasSettled
  }

  /** Ends every instance; calls still open get `refusal`. Settles when all processes are gone. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#refusal = refusal
    await Promise.all([...this.#lanes].map((lane) => lane.close(cause, refusal)))
    this.#wheel.close()
  }

  #laneOf(plugin: RunnablePlugin, workspace: string): InstanceLane {
    const known = plugin.lanes.get(workspace)
    if (known !== undefined) return known
    const lane = new InstanceLane(
      { pluginId: plugin.id, workspace, concurrency: plugin.manifest.runtime.concurrency },
      {
        spawnInstance: (of) => this.#powers.spawnInstance(plugin, of),
        onDispatch: (execution, nowMs) => {
          this.#wheel.remove(execution)
          execution.beginRun(nowMs)
          this.#wheel.add(execution)
        },
        onAnswer: (of, execution, answer) => this.#answered(of, execution, answer),
        onExit: (of, exit, inFlight) => this.#exited(of, exit, inFlight),
      },
    )
    if (this.#refusal !== null) void lane.close('host_shutdown', this.#refusal)
    plugin.lanes.set(workspace, lane)
    this.#lanes.add(lane)
    this.#plugins.set(lane, plugin)
    return lane
  }

  #expire(execution: Execution, lane: InstanceLane): void {
    const error = deadlineError(execution, performance.now())
    if (execution.settle({ kind: 'rejected', error })) this.#abandon(execution, lane)
  }

  /** The caller has its answer; the plugin gets a moment to let go of the call, then its process is ended. */
  #abandon(execution: Execution, lane: InstanceLane): void {
    const instance = lane.instance
    if (instance === null || !instance.isInFlight(execution)) return
    instance.cancel(execution)
    const grace: WheelEntry = {
      deadlineMs: performance.now() + this.#powers.cancelGraceMs,
      wheelNext: null,
      wheelPrevious: null,
      wheelSlot: -1,
      expire: () => {
        if (instance.isInFlight(execution)) void instance.end('wall_limit')
      },
    }
    this.#wheel.add(grace)
  }

  #answered(lane: InstanceLane, execution: Execution, answer: Answer): void {
    if (execution.isSettled) return
    const plugin = this.#plugins.get(lane)!
    if (answer.error !== null && this.#rejectFor(lane, execution, answer)) return
    const error = answer.error === null ? null : answer.error.message.slice(0, MAX_PLUGIN_TEXT_CHARS)
    const payload = answer.error === null ? answer.payload : null
    const writePaths = this.#powers.writePathsOf(plugin, lane.workspace)
    if (writePaths.length === 0) {
      this.#resolve(lane, execution, { error, payload, createdFiles: NO_FILES })
      return
    }
    void findCreatedFiles(writePaths, execution.dispatchedAtEpochMs).then(({ files, complete }) => {
      if (!complete) execution.addWarning('created_files is cut: the folders hold more than the host looks at')
      this.#resolve(lane, execution, { error, payload, createdFiles: files })
    })
  }

  /** True when the answer is a failure of the system; the plugin's own failure is a result. */
  #rejectFor(lane: InstanceLane, execution: Execution, answer: Answer & { error: object }): boolean {
    if (answer.error.code === RUNNER_ERRORS.out_of_memory) {
      execution.settle({ kind: 'rejected', error: memoryError(execution, this.#memoryOf(lane)) })
      void lane.instance?.end('memory_limit')
      return true
    }
    const error = runnerError(execution, answer.error)
    if (error !== null) execution.settle({ kind: 'rejected', error })
    return error !== null
  }

  #resolve(
    lane: InstanceLane,
    execution: Execution,
    outcome: { error: string | null; payload: Buffer | null; createdFiles: readonly string[] },
  ): void {
    const nowMs = performance.now()
    const result = toResult(execution, outcome.error, {
      nowMs,
      generation: 1,
      sampleAtEnd: lane.instance?.sampler?.sample(nowMs) ?? null,
      createdFiles: outcome.createdFiles,
    })
    execution.settle({ kind: 'resolved', result, payload: outcome.payload })
  }

  #exited(lane: InstanceLane, exit: ExitInfo, inFlight: readonly Execution[]): void {
    const memory = this.#memoryOf(lane)
    for (const execution of inFlight) {
      execution.settle({ kind: 'rejected', error: exitError(execution, exit, memory) })
    }
    this.#powers.onExit(this.#plugins.get(lane)!, exit)
  }

  #memoryOf(lane: InstanceLane): MemoryUse {
    const instance = lane.instance
    const rssBytes = instance?.sampler?.sample(performance.now()).rssBytes ?? 0
    return {
      usedBytes: Math.max(0, rssBytes - (instance?.idleRssBytes ?? 0)),
      manifest: this.#plugins.get(lane)!.manifest,
    }
  }
}

const NO_FILES: readonly string[] = []

/** The nearer of the operation's timeout and the plugin's limit, and which it is. */
function runLimitOf(call: CallRequest): { runLimitMs: number; runLimitOwner: DeadlineOwner } {
  const { limits, operations } = call.plugin.manifest
  const operationMs = operations.find((known) => known.name === call.operation)?.timeoutMs ?? Infinity
  return operationMs < limits.maxExecutionTimeMs
    ? { runLimitMs: operationMs, runLimitOwner: 'operation' }
    : { runLimitMs: limits.maxExecutionTimeMs, runLimitOwner: 'max_execution_time_ms' }
}
