import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { resolve } from 'node:path'
import { messageOf, type PhantomError, type WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import {
  cancelledError,
  deadlineError,
  exitError,
  memoryError,
  runnerError,
  type MemoryUse,
} from './call-errors.ts'
import { pathBehind, refusalError } from './sandbox-refusal.ts'
import { Execution, type CallRequest, type ExecutionEvents, type Settlement } from './execution.ts'
import { toResultText } from './execution-result.ts'
import { InstanceLane } from './instance-lane.ts'
import { TimingWheel, type WheelEntry } from './timing-wheel.ts'

/** What the executor needs from the world. */
export interface ExecutorPowers {
  spawnInstance(plugin: RunnablePlugin, lane: InstanceLane): Promise<RunnerInstance>
  onExit(plugin: RunnablePlugin, exit: ExitInfo): void
  readonly cancelGraceMs: number
}

/** Deadlines are kept to this grain; a call is answered at most this late. */
const TICK_MS = 10

/** Takes calls to their instances and back, owns their deadlines, and answers each exactly once. */
export class Executor {
  readonly #powers: ExecutorPowers
  readonly #wheel = new TimingWheel({ now: () => performance.now(), tickMs: TICK_MS })
  readonly #lanes = new Set<InstanceLane>()
  readonly #events: ExecutionEvents
  #accepted = 0
  #settled = 0
  #failed = 0
  #refusal: PhantomError | null = null

  constructor(powers: ExecutorPowers) {
    this.#powers = powers
    this.#events = {
      onDeadline: (execution) => {
        const error = deadlineError(execution, performance.now())
        if (execution.settle({ kind: 'rejected', error })) this.#abandon(execution, 'wall_limit')
      },
      onSettled: (execution, settlement) => this.#count(execution, settlement),
    }
  }

  get lanes(): ReadonlySet<InstanceLane> {
    return this.#lanes
  }

  figures(): { in_flight: number; queued: number; total: number; failed: number } {
    let queued = 0
    for (const lane of this.#lanes) queued += lane.countWaiting()
    const open = this.#accepted - this.#settled
    return { in_flight: open - queued, queued, total: this.#accepted, failed: this.#failed }
  }

  /** Takes a call; its `onSettled` is called exactly once, maybe before this returns. */
  submit(call: CallRequest, input: Buffer | null): Execution {
    this.#accepted += 1
    const nowMs = performance.now()
    const execution = new Execution(call, { input, nowMs, events: this.#events })
    if (call.timeoutMs !== null) this.#wheel.add(execution)
    this.#laneOf(call).submit(execution, nowMs)
    return execution
  }

  /** False when the call has its answer already. */
  cancel(execution: Execution): boolean {
    const isCancelled = execution.settle({ kind: 'rejected', error: cancelledError(execution) })
    if (isCancelled) this.#abandon(execution, 'ignored_cancel')
    return isCancelled
  }

  /** Cancels whichever call has this id; false when none in flight has. */
  cancelById(executionId: string): boolean {
    for (const lane of this.#lanes) {
      const execution = lane.instance?.findInFlight(executionId) ?? null
      if (execution !== null) return this.cancel(execution)
    }
    return false
  }

  /** Ends every instance; calls still open get `refusal`. Settles when all processes are gone. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#refusal = refusal
    await Promise.all([...this.#lanes].map((lane) => lane.close(cause, refusal)))
    this.#wheel.close()
  }

  #laneOf(call: CallRequest): InstanceLane {
    const { plugin, workspace } = call
    const known = plugin.lanes.get(workspace)
    if (known !== undefined) return known
    const lane = new InstanceLane(
      { plugin, workspace },
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
    return lane
  }

  #count(execution: Execution, settlement: Settlement): void {
    this.#wheel.remove(execution)
    this.#settled += 1
    if (settlement.kind === 'rejected') this.#failed += 1
  }

  /** The caller has its answer; the plugin gets a moment to let go of the call, then its process is ended. */
  #abandon(execution: Execution, cause: EndCause): void {
    const instance = execution.call.plugin.lanes.get(execution.call.workspace)?.instance ?? null
    if (instance === null || !instance.isInFlight(execution)) return
    instance.cancel(execution)
    const grace: WheelEntry = {
      deadlineMs: performance.now() + this.#powers.cancelGraceMs,
      wheelNext: null,
      wheelPrevious: null,
      wheelSlot: -1,
      expire: () => {
        if (instance.isInFlight(execution)) void instance.end(cause)
      },
    }
    this.#wheel.add(grace)
  }

  #answered(lane: InstanceLane, execution: Execution, answer: Answer): void {
    if (execution.isSettled) return
    if (answer.error !== null && this.#rejectFor(lane, execution, answer)) return
    const error = answer.error === null ? null : answer.error.message.slice(0, MAX_PLUGIN_TEXT_CHARS)
    const payload = answer.error === null ? answer.payload : null
    const writePaths = lane.instance?.spec.reach.grantedWritePaths ?? NO_FILES
    if (writePaths.length === 0) {
      this.#resolve(lane, execution, { error, payload, createdFiles: NO_FILES })
      return
    }
    void this.#resolveWithFiles(lane, execution, { error, payload, writePaths })
  }

  /** True when the answer is a failure of the system; the plugin's own failure is a result. */
  #rejectFor(lane: InstanceLane, execution: Execution, answer: Answer & { error: object }): boolean {
    if (answer.error.code === RUNNER_ERRORS.out_of_memory) {
      execution.settle({ kind: 'rejected', error: memoryError(execution, this.#memoryOf(lane)) })
      void lane.instance?.end('memory_limit')
      return true
    }
    const error = runnerError(execution, answer.error) ?? this.#refusalBehind(lane, execution, answer.error)
    if (error !== null) execution.settle({ kind: 'rejected', error })
    return error !== null
  }

  /** A failure of the plugin's own that the sandbox caused: outside of its grants, the kernel shows nothing. */
  #refusalBehind(lane: InstanceLane, execution: Execution, error: WireError): PhantomError | null {
    const path = pathBehind(error)
    if (path === null) return null
    const reach = lane.instance?.spec.reach
    return reach === undefined
      ? null
      : refusalError(execution, { path: resolve(lane.workspace, path), ...reach, error })
  }

  async #resolveWithFiles(
    lane: InstanceLane,
    execution: Execution,
    outcome: { error: string | null; payload: Buffer | null; writePaths: readonly string[] },
  ): Promise<void> {
    let files = NO_FILES
    try {
      const found = await lane.createdFiles.find(outcome.writePaths, execution.dispatchedAtEpochMs)
      files = found.files
      if (!found.complete)
        execution.addWarning('created_files is cut: the folders hold more than the host looks at')
    } catch (error) {
      execution.addWarning(`created_files is not known: ${messageOf(error)}`)
    }
    this.#resolve(lane, execution, { ...outcome, createdFiles: files })
  }

  #resolve(
    lane: InstanceLane,
    execution: Execution,
    outcome: { error: string | null; payload: Buffer | null; createdFiles: readonly string[] },
  ): void {
    const nowMs = performance.now()
    const result = toResultText(execution, outcome.error, {
      nowMs,
      generation: lane.plugin.generation,
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
    this.#powers.onExit(lane.plugin, exit)
  }

  #memoryOf(lane: InstanceLane): MemoryUse {
    const instance = lane.instance
    instance?.sampler?.sample(performance.now())
    const rssBytes = instance?.sampler?.peakRssBytes ?? 0
    return {
      usedBytes: Math.max(0, rssBytes - (instance?.idleRssBytes ?? 0)),
      manifest: lane.plugin.manifest,
    }
  }
}

const NO_FILES: readonly string[] = []
