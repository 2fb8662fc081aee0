import type { LogLevel, PluginLogLine } from '../../src/contract/execution.ts'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { InstanceCgroup } from '../cgroup/instance-cgroup.ts'
import type { Execution } from '../execution/execution.ts'
import type { Generation } from '../generations/generation.ts'
import type { Access } from '../denials/access.ts'
import type { Denial, Reach } from '../denials/denial.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { Attestor } from '../sandbox/attest/attestor.ts'
import type { EgressDoor } from '../egress/egress-doors.ts'
import type { Outbox } from '../messages/open-outbox.ts'
import type { RunnerPlan } from '../sandbox/plan-runner.ts'
import type { InputRule } from '../validation/input-task.ts'
import type { EndCause } from './exit-reason.ts'

interface InstanceReach extends Reach {
  /** Folders with a right to write that calls may leave files in: not its private ones. */
  readonly grantedWritePaths: readonly string[]
}

/** What may change while a process runs. */
export type InstanceConfig = Pick<RunnerParams['initialize'], 'config' | 'log_level'>

export interface InstanceSpec {
  readonly generation: Generation
  readonly plan: RunnerPlan
  readonly attestor: Attestor
  readonly uid: number | null
  /** See `measureMemoryBase`. */
  readonly baseDataBytes: number
  /** Null where the machine delegates no part of cgroup v2. */
  readonly cgroup: InstanceCgroup | null
  /** Whether other processes than the runner's own may be the plugin's. */
  readonly mayStartProcesses: boolean
  /** What it may reach, as it was granted at its start; canonical and absolute. */
  readonly reach: InstanceReach
  readonly initialize: Omit<RunnerParams['initialize'], keyof InstanceConfig | 'previous_state'>
  /** By operation, how its input is checked before the process gets it; null where the process does that. */
  readonly inputRules: ReadonlyMap<string, InputRule> | null
  /** Its way to the network; null where it has none. */
  readonly egress: EgressDoor | null
  /** Asked when it starts: a standby may have waited for long. */
  readonly configuration: () => InstanceConfig
  /** The least that is kept of what it logs, now. */
  readonly logLevel: () => LogLevel
  readonly startTimeoutMs: number
  readonly shutdownMs: number
}

export interface InstanceEvents {
  /** An answer to a dispatched call. */
  onAnswer(execution: Execution, answer: Answer): void
  /** The process is gone; these calls were in flight. Called once. */
  onExit(exit: ExitInfo, inFlight: readonly Execution[], cause: EndCause | null): void
  /** What holds the process is not what was declared: it is gone. */
  onNotAttested(error: PhantomError): void
  /** The channel has room again. */
  onDrain(): void
  /** It reached for what it was not granted; the call is null where it is not known which. */
  onDenied(denial: Denial, execution: Execution | null): void
  /** It wants a message passed on. */
  readonly onMessage: Outbox
  onLog(line: Omit<PluginLogLine, 'plugin_id' | 'time'>): void
  /** All that it reaches for, where it is observed; null where its permissions are enforced. */
  readonly onObserved: ((access: Access, reach: Reach) => void) | null
  /** Takes secrets out of what the plugin says. */
  readonly redactor: Redactor
}
