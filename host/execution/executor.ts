import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { isFileTooLarge, type EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { cancelledError, deadlineError, exitError, memoryUseOf, type MemoryUse } from './call-errors.ts'
import { fileSizeBehind } from './limit-behind.ts'
import { limitError } from './limit-error.ts'
import { CpuBudget } from './cpu-budget.ts'
import { Execution, type CallRequest, type ExecutionEvents, type Settlement } from './execution.ts'
import { InstanceLane } from './instance-lane.ts'
import type { EndedInstance, LanePowers } from './lane-powers.ts'
import { outcomeOf } from './outcome.ts'
import { readAnswer } from './read-answer.ts'
import { circuitOpenError, hostFullError, queueFullError, workspacesFullError } from './refusals.ts'
import { TimingWheel, type WheelEntry } from './timing-wheel.ts'

/** What the executor needs from the world. */
export interface ExecutorPowers extends Pick<
  LanePowers,
  'spawnInstance' | 'checkInput' | 'startDependencies' | 'onReady' | 'onStartFailed' | 'startDelayMs'
> {
  /** After its calls were answered or taken back. */
  onExit(lane: InstanceLane, end: EndedInstance): void
  /** An operation failed too often: its calls are refused for a while. */
  onBreakerOpened(execution: Execution): void
  /** A call was not taken. */
  onRefused(call: CallRequest, error: PhantomError, nowMs: number): void
  /** A call has its answer. */
  onSettled(execution: Execution, settlement: Settlement, nowMs: number): void
  /** Read anew for each call: the configuration may change. */
  readonly limits: () => {
    readonly cancelGraceMs: number
    readonly maxCalls: number
    readonly maxCallsShare: number
    readonly maxWorkspaces: number
  }
}

/** Deadlines are kept to this grain; a call is answered at most this late. */
const TICK_MS = 10

/** Takes calls to their instances and back, owns their deadlines, and answers each exactly once. */
export class Executor {
  readonly #powers: ExecutorPowers
  readonly #wheel = new TimingWheel({ now: () => performance.now(), tickMs: TICK_MS })
  readonly #lanes = new Set<InstanceLane>()
  readonly #events: ExecutionEvents
  readonly #lanePowers: LanePowers
  #accepted = 0
  #settled = 0
  #failed = 0
  #refusal: PhantomError | null = null

  constructor(powers: ExecutorPowers) {
    this.#powers = powers
    this.#events = {
      onDeadline: (execution) => this.#timedOut(execution),
      onSettled: (execution, settlement, nowMs) => this.#count(execution, settlement, nowMs),
    }
    this.#lanePowers = {
      spawnInstance: (lane, generation) => powers.spawnInstance(lane, generation),
      startDependencies: (lane, generation) => powers.startDependencies(lane, generation),
      checkInput: (execution, by) => powers.checkInput(execution, by),
      onReady: (lane, instance) => powers.onReady(lane, instance),
      onStartFailed: (lane, generation, error) => powers.onStartFailed(lane, generation, error),
      startDelayMs: (lane, nowMs) => powers.startDelayMs(lane, nowMs),
      onDispatch: (execution, instance, nowMs) => {
        this.#wheel.remove(execution)
        execution.beginRun(nowMs, instance.generation)
        execution.networkAtStart = instance.spec.egress?.meter.use ?? null
        this.#wheel.add(execution)
        this.#watchCpu(execution, instance, nowMs)
      },
      onAnswer: readAnswer,
      onExit: (lane, end) => this.#exited(lane, end),
      onVacant: (lane) => this.forget(lane),
    }
  }

  get lanes(): ReadonlySet<InstanceLane> {
    return this.#lanes
  }

  figures(): { in_flight: number; queued: number; total: number; failed: number } {
    let queued = 0
    for (const lane of this.#lanes) queued += lane.waitingCount
    const open = this.#accepted - this.#settled
    return { in_flight: open - queued, queued, total: this.#accepted, failed: this.#failed }
  }

  /**
   * Takes a call; its `onSettled` is called exactly once, maybe before this returns.
   *
   * @throws PhantomError QUEUE_FULL, CIRCUIT_OPEN
   */
  submit(call: CallRequest, input: Buffer | null): Execution {
    const nowMs = performance.now()
    const { plugin } = call
    const breaker = plugin.current.breakerOf(call.operation)
    const full = this.#fullError(plugin, call.operation) ?? this.#workspacesError(plugin, call.workspace)
    if (full !== null) throw this.#refused(call, full, nowMs)
    const permit = breaker === null ? null : breaker.allow(nowMs)
    if (breaker !== null && permit === null)
      throw this.#refused(call, circuitOpenError(call, breaker.describe(nowMs)), nowMs)
    this.#accepted += 1
    plugin.openCalls += 1
    const execution = new Execution(call, { input, nowMs, events: this.#events, breaker, permit })
    if (call.timeoutMs !== null) this.#wheel.add(execution)
    this.laneOf(plugin, call.workspace).submit(execution, nowMs)
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
      for (const instance of lane.instances()) {
        const execution = instance.findInFlight(executionId)
        if (execution !== null) return this.cancel(execution)
      }
    }
    return false
  }

  /**
   * The lane of a plugin and workspace that somebody asked for.
   *
   * @throws PhantomError QUEUE_FULL when it would be one too many
   */
  openLane(plugin: RunnablePlugin, workspace: string): InstanceLane {
    const full = this.#workspacesError(plugin, workspace)
    if (full !== null) throw full
    return this.laneOf(plugin, workspace)
  }

  /** The same, made in any case: for those who were let in, and for what the daemon starts by itself. */
  laneOf(plugin: RunnablePlugin, workspace: string): InstanceLane {
    const known = plugin.lanes.get(workspace)
    if (known !== undefined) return known
    const lane = new InstanceLane({ plugin, workspace }, this.#lanePowers)
    if (this.#refusal !== null) void lane.close('host_shutdown', this.#refusal)
    plugin.lanes.set(workspace, lane)
    this.#lanes.add(lane)
    return lane
  }

  /** Nobody needs this lane any more. */
  forget(lane: InstanceLane): void {
    if (lane.plugin.lanes.get(lane.workspace) !== lane) return
    lane.plugin.lanes.delete(lane.workspace)
    this.#lanes.delete(lane)
  }

  /** Ends every instance; calls still open get `refusal`. Settles when all processes are gone. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#refusal = refusal
    await Promise.all([...this.#lanes].map((lane) => lane.close(cause, refusal)))
    this.#wheel.close()
  }

  #refused(call: CallRequest, error: PhantomError, nowMs: number): PhantomError {
    call.plugin.refusedCalls += 1
    this.#powers.onRefused(call, error, nowMs)
    return error
  }

  #fullError(plugin: RunnablePlugin, operation: string): PhantomError | null {
    const { maxQueuedCalls } = plugin.current.manifest.runtime
    if (plugin.queuedCalls >= maxQueuedCalls)
      return queueFullError(plugin.id, operation, { queued: plugin.queuedCalls, limit: maxQueuedCalls })
    const { maxCalls, maxCallsShare } = this.#powers.limits()
    const open = this.#accepted - this.#settled
    const share = Math.max(1, Math.floor(maxCalls * maxCallsShare))
    if (open < maxCalls && plugin.openCalls < share) return null
    return hostFullError(plugin.id, operation, { open, maxCalls, ofPlugin: plugin.openCalls, share })
  }

  /** Each lane is a process or more, and who calls names the workspace. */
  #workspacesError(plugin: RunnablePlugin, workspace: string): PhantomError | null {
    const { maxWorkspaces: limit } = this.#powers.limits()
    if (this.#lanes.size < limit || plugin.lanes.has(workspace)) return null
    let open = 0
    for (const lane of this.#lanes) if (!lane.isVacant) open += 1
    return open < limit ? null : workspacesFullError(plugin.id, workspace, { open, limit })
  }

  #timedOut(execution: Execution): void {
    const error = deadlineError(execution, performance.now())
    // Who is impatient says nothing against the plugin.
    const cause = execution.deadlineOwner === 'caller' ? 'ignored_cancel' : 'wall_limit'
    if (execution.settle({ kind: 'rejected', error })) this.#abandon(execution, cause)
  }

  /** With several calls in one process its time belongs to nobody alone: each counts all of it over its own span. */
  #watchCpu(execution: Execution, instance: RunnerInstance, nowMs: number): void {
    this.#forgetBudget(execution)
    const { maxCpuTimeMs: limitMs } = instance.generation.limits
    if (limitMs === null || instance.figures.cpu === null) return
    const budget = new CpuBudget({
      meter: instance.figures.cpu,
      limitMs,
      nowMs,
      onSpent: (usedMs) => {
        if (!instance.isInFlight(execution)) return
        const breach = { limit: 'max_cpu_time_ms', declared: limitMs, measured: Math.round(usedMs) } as const
        instance.breakLimit(execution, breach, 'cpu_limit')
      },
      again: (again) => this.#wheel.add(again),
    })
    execution.cpuBudget = budget
    this.#wheel.add(budget)
  }

  #forgetBudget(execution: Execution): void {
    if (execution.cpuBudget !== null) this.#wheel.remove(execution.cpuBudget)
    execution.cpuBudget = null
  }

  #count(execution: Execution, settlement: Settlement, nowMs: number): void {
    const { plugin, workspace } = execution.call
    this.#wheel.remove(execution)
    this.#forgetBudget(execution)
    this.#settled += 1
    plugin.openCalls -= 1
    if (settlement.kind === 'rejected') this.#failed += 1
    if (execution.channelId === null) plugin.lanes.get(workspace)?.forget(execution)
    if (execution.permit !== null) {
      const hasOpened = execution.breaker?.settle(execution.permit, outcomeOf(execution, settlement), nowMs)
      if (hasOpened === true) this.#powers.onBreakerOpened(execution)
    }
    this.#powers.onSettled(execution, settlement, nowMs)
  }

  /** The caller has its answer; the plugin gets a moment to let go of the call, then its process is ended. */
  #abandon(execution: Execution, cause: EndCause): void {
    const { instance } = execution
    if (instance === null || !instance.isInFlight(execution)) return
    instance.cancel(execution)
    const grace: WheelEntry = {
      deadlineMs: performance.now() + this.#powers.limits().cancelGraceMs,
      wheelNext: null,
      wheelPrevious: null,
      wheelSlot: -1,
      expire: () => {
        if (instance.isInFlight(execution)) void instance.end(cause)
      },
    }
    this.#wheel.add(grace)
  }

  #exited(lane: InstanceLane, end: EndedInstance): void {
    const nowMs = performance.now()
    const memory = memoryUseOf(end.instance)
    const charged = new Set<string>()
    for (const execution of end.inFlight) {
      if (execution.isSettled) continue
      // One death is one failure, however many calls it took along.
      execution.isCollateral = charged.has(execution.call.operation)
      charged.add(execution.call.operation)
      if (this.#mayRetry(execution, end)) this.#retry(lane, execution, nowMs)
      else execution.settle({ kind: 'rejected', error: this.#exitError(execution, end, memory) })
    }
    this.#powers.onExit(lane, end)
  }

  #exitError(execution: Execution, { exit, instance }: EndedInstance, memory: MemoryUse): PhantomError {
    return isFileTooLarge(exit)
      ? limitError(execution, fileSizeBehind(instance).breach)
      : exitError(execution, exit, memory)
  }

  /** Once, and only where the process and not the call went wrong: a limit would be broken again. */
  #mayRetry(execution: Execution, { exit, cause }: EndedInstance): boolean {
    // Switched off, its calls end and none begins.
    if (!execution.mayRetry || execution.call.plugin.isDisabled || this.#refusal !== null) return false
    return exit.class === 'crash' || cause === 'reload' || cause === 'unresponsive' || isAnothersFault(cause)
  }

  #retry(lane: InstanceLane, execution: Execution, nowMs: number): void {
    execution.mayRetry = false
    execution.channelId = null
    execution.executionId = null
    this.#forgetBudget(execution)
    execution.addWarning('its process died while it ran; it was run again, since it is declared idempotent')
    lane.resubmit(execution, nowMs)
  }
}

const LIMITS_OF_ONE_CALL: ReadonlySet<EndCause> = new Set([
  'ignored_cancel',
  'wall_limit',
  'cpu_limit',
  'resource_limit',
])

/** A call that is still open was not the one that broke the limit. */
function isAnothersFault(cause: EndCause | null): boolean {
  return cause !== null && LIMITS_OF_ONE_CALL.has(cause)
}
