import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { Generation } from '../generations/generation.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { InputRule } from '../validation/input-task.ts'
import type { Execution } from './execution.ts'
import type { InstanceLane } from './instance-lane.ts'

export interface LanePowers {
  /** Spawns a process of that generation; its owner starts it. Rejects with what the waiting calls get. */
  spawnInstance(lane: InstanceLane, generation: Generation): Promise<RunnerInstance>
  /** Settles when the plugins that this one needs run for the same workspace. */
  startDependencies(lane: InstanceLane, generation: Generation): Promise<void>
  /** Has its input checked: then it says by whom, or the call has its answer. */
  readonly checkInput: (
    execution: Execution,
    by: { rule: InputRule; generation: Generation },
  ) => Promise<void>
  /** The call leaves the queue now. */
  onDispatch(execution: Execution, instance: RunnerInstance, nowMs: number): void
  onAnswer(instance: RunnerInstance, execution: Execution, answer: Answer): void
  onReady(lane: InstanceLane, instance: RunnerInstance): void
  onStartFailed(lane: InstanceLane, generation: Generation, error: unknown): void
  /** After the lane has let go of the process. Gives the calls their answers, or back to the lane. */
  onExit(lane: InstanceLane, end: EndedInstance): void
  /** How long its next start must wait; null when it has given up. */
  startDelayMs(lane: InstanceLane, nowMs: number): number | null
  /** Nothing runs, nothing waits: nobody needs this lane any more. */
  onVacant(lane: InstanceLane): void
}

export interface EndedInstance {
  readonly instance: RunnerInstance
  readonly exit: ExitInfo
  readonly cause: EndCause | null
  readonly inFlight: readonly Execution[]
  /** What it was to the lane when it ended. */
  readonly role: 'active' | 'draining' | 'standby' | 'next'
}
