import type { LogLevel, PluginLogLine } from '../../src/contract/execution.ts'
import type { AuditEvent } from '../audit/audit-log.ts'
import type { CgroupTree } from '../cgroup/cgroup-tree.ts'
import type { DenialDesk } from '../denials/denial-desk.ts'
import type { EgressDoors } from '../egress/egress-doors.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { Generation } from '../generations/generation.ts'
import type { Observations } from '../learning/observations.ts'
import type { Outbox } from '../messages/open-outbox.ts'
import type { IdentityPool } from '../sandbox/identity.ts'
import type { Machine } from '../sandbox/machine.ts'
import type { MemoryBase, RunnerKind } from '../sandbox/memory-base.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { Variables } from '../secrets/variables.ts'
import type { Store } from '../store/store.ts'
import type { SchemaCompiler } from '../validation/schema-compiler.ts'
import type { InstanceConfig } from './instance-spec.ts'

/** What starting a plugin asks of the rest of the daemon. */
export interface LauncherOptions {
  readonly machine: Machine
  readonly requiredTier: 'namespace' | 'process'
  readonly stateDirectory: string
  readonly validatorDirectory: string
  readonly runnerDirectory: string
  readonly maxPayloadBytes: number
  readonly startTimeoutMs: () => number
  readonly compiler: SchemaCompiler
  /** Null where the machine delegates no part of cgroup v2. */
  readonly cgroups: CgroupTree | null
  /** Null where the daemon is not root: its runners keep its own uid. */
  readonly identities: IdentityPool | null
  readonly store: Store
  readonly memoryBase: (kind: RunnerKind) => Promise<MemoryBase>
  /** Left empty inside a wider grant, and granted to nobody: state, configuration, sockets. */
  readonly hiddenPaths: readonly string[]
  /** Stay read-only inside a wider grant: the plugin folders and the runner. */
  readonly protectedPaths: readonly string[]
  /** Below them workspaces lie, read at each start: whatever is there is a project's. */
  readonly projectRoots: () => readonly string[]
  /** Reads the plugin's configuration; rejects with CONFIG_INVALID where it does not fit. */
  readonly loadConfiguration: (generation: Generation) => Promise<void>
  /** Rejects with LIMIT_EXCEEDED where its `data_dir` holds too much. */
  readonly checkDisk: (generation: Generation, dataDir: string) => Promise<void>
  /** What the plugin gets as its configuration now, secrets and all. It was loaded before. */
  readonly configurationOf: (generation: Generation) => InstanceConfig
  readonly logLevelOf: (generation: Generation) => LogLevel
  readonly redactor: Redactor
  /** What `env:NAME` gives. */
  readonly variables: Variables
  /** Before the files of a generation are copied: from now on their changes count. */
  readonly onSpawned: (generation: Generation) => Promise<void>
  readonly onLog: (line: PluginLogLine) => void
  readonly onDenied: DenialDesk['denied']
  /** For what one process wants sent. */
  readonly openOutbox: (lane: InstanceLane) => Outbox
  readonly record: (event: AuditEvent) => void
  readonly egress: EgressDoors
  /** Told of all that plugins reach for; null where permissions are enforced. */
  readonly onObserved: Observations['add'] | null
}
