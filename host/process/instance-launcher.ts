import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { LogLevel } from '../../src/contract/execution.ts'
import type { Permission } from '../../src/contract/permission.ts'
import type { PermissionInfo } from '../../src/contract/plugin-info.ts'
import { RUNNER_PROTOCOL_VERSION } from '../../src/contract/version.ts'
import type { EgressDoor } from '../egress/egress-doors.ts'
import { watchNetwork } from '../monitor/network-guard.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { Generation } from '../generations/generation.ts'
import { SnapshotFolder } from '../generations/snapshot-folder.ts'
import { schemaIssues, type SchemaOwner } from '../registry/schema-issues.ts'
import { Attestor } from '../sandbox/attest/attestor.ts'
import type { RunnerIdentity } from '../sandbox/identity.ts'
import { withoutNode } from '../sandbox/mechanisms.ts'
import { PROGRAM_MEMORY_BASE, type MemoryBase } from '../sandbox/memory-base.ts'
import { planRunner, type RunnerPlan } from '../sandbox/plan-runner.ts'
import { observePolicy } from '../sandbox/observe-policy.ts'
import { resolvePolicy, type Policy } from '../sandbox/policy.ts'
import type { LauncherOptions } from './launcher-options.ts'
import { InputChecker } from '../validation/input-checker.ts'
import { makeDataDirectory, makeGrantedFolders } from './data-directory.ts'
import { preparePlugin, type PreparedPlugin } from './prepare-plugin.ts'
import { programOf } from './read-executable.ts'
import { RefusedStarts } from './refused-starts.ts'
import { shortageError } from './start-error.ts'
import { grantsOf } from './instance-grants.ts'
import { reachOf } from './instance-reach.ts'
import { refuseProjectFiles } from './refuse-project-files.ts'
import { requireTier } from './require-tier.ts'
import type { InstanceSpec } from './instance-spec.ts'
import { RunnerInstance } from './runner-instance.ts'

interface Asked {
  readonly permissions: readonly Permission[]
  readonly workspace: string
  readonly identity: RunnerIdentity | null
}

interface PlannedStart {
  readonly generation: Generation
  readonly lane: InstanceLane
  readonly prepared: PreparedPlugin
  readonly memory: MemoryBase
  readonly identity: RunnerIdentity | null
  readonly policy: Policy
  readonly egress: EgressDoor | null
  readonly release: () => void
}

/** Plugins start in bursts: all of a workspace's, all of a reload's. */
const BAIT_KEPT_MS = 5_000

/** Brings a plugin's instance to life for one workspace: policy, plan, identity, process. */
export class InstanceLauncher {
  readonly snapshots: SnapshotFolder
  readonly refused: RefusedStarts
  readonly inputs: InputChecker
  readonly #options: LauncherOptions
  readonly #attestor: Attestor
  readonly #idPrefix = randomBytes(4).toString('hex')
  readonly #prepared = new WeakMap<Generation, Promise<PreparedPlugin>>()
  #spawned = 0

  constructor(options: LauncherOptions) {
    this.#options = options
    this.inputs = new InputChecker({ maxPayloadBytes: options.maxPayloadBytes })
    this.refused = new RefusedStarts(options.record)
    this.#attestor = new Attestor({
      forbiddenFile: join(options.stateDirectory, 'state.db'),
      baitKeptMs: BAIT_KEPT_MS,
    })
    this.snapshots = new SnapshotFolder(options.stateDirectory)
  }

  /** What the plugin may do in that workspace, for the uid that its instance has or would have. */
  policyOf(generation: Generation, workspace: string, identity = this.#groupIdentity(generation)): Policy {
    return this.#resolve(generation, { permissions: generation.rights, workspace, identity })
  }

  /** What each of those would be in that workspace, one answer for each. */
  explain(generation: Generation, workspace: string, permissions: readonly Permission[]): PermissionInfo[] {
    const identity = this.#groupIdentity(generation)
    return [...this.#resolve(generation, { permissions, workspace, identity }).permissions]
  }

  /** Of a plugin that need not be loaded. */
  readonly schemaIssues = (plugin: SchemaOwner) => schemaIssues(plugin, this.#options.compiler)

  #resolve(generation: Generation, { permissions, workspace, identity }: Asked): Policy {
    const resolve = this.#options.onObserved === null ? resolvePolicy : observePolicy
    const policy = resolve(
      permissions,
      {
        workspace,
        pluginDir: generation.directory,
        dataDir: this.#dataDirectory(generation),
        hidden: this.#options.hiddenPaths,
        protect: this.#options.protectedPaths,
        secretsFile: this.#options.variables.secretsFile,
        environment: this.#options.variables.describe(),
        forbidden: generation.forbidden,
        identity,
      },
      this.#options.machine,
    )
    return generation.manifest.type === 'native' ? withoutNode(policy) : policy
  }

  /**
   * Spawns an instance; the lane starts it.
   *
   * @throws PhantomError SANDBOX_UNAVAILABLE, MANIFEST_INVALID, CONFIG_INVALID, PLUGIN_START_FAILED
   */
  async spawn(generation: Generation, lane: InstanceLane): Promise<RunnerInstance> {
    try {
      return await this.#spawn(generation, lane)
    } catch (error) {
      throw shortageError(generation.id, error) ?? error
    }
  }

  async #spawn(generation: Generation, lane: InstanceLane): Promise<RunnerInstance> {
    requireTier(this.#options, generation)
    // Fails closed: a plugin that would get its secrets starts with none of them missing.
    if (generation.rights.some(({ kind }) => kind === 'env')) this.#options.variables.read()
    await this.#options.onSpawned(generation)
    const prepared = await this.prepare(generation)
    await this.#refuseProjectFiles(generation, { prepared, lane })
    await this.#options.loadConfiguration(generation)
    await this.#options.checkDisk(generation, this.#dataDirectory(generation))
    const { identities } = this.#options
    const group = this.#groupIdentity(generation)
    const identity =
      identities === null || group === null ? null : { uid: identities.acquire(), gid: group.gid }
    const release = (): void => {
      if (identity !== null) identities?.release(identity.uid)
    }
    let egress: EgressDoor | null = null
    try {
      const policy = this.policyOf(generation, lane.workspace, identity)
      const memory =
        prepared.executable === null
          ? await this.#options.memoryBase({
              hasNetwork: policy.network.length > 0,
              isWasm: generation.manifest.type === 'wasm',
              threads: generation.threads,
            })
          : PROGRAM_MEMORY_BASE
      egress = this.#openEgress(lane, policy)
      this.#options.variables.granted(generation.id, policy.env)
      return this.#spawnPlanned({ generation, lane, prepared, memory, identity, policy, egress, release })
    } catch (error) {
      await egress?.close()
      release()
      throw error
    }
  }

  async #refuseProjectFiles(
    { id }: Generation,
    { prepared, lane }: Pick<PlannedStart, 'prepared' | 'lane'>,
  ): Promise<void> {
    const { hiddenPaths, protectedPaths, projectRoots } = this.#options
    const places = [...hiddenPaths, ...protectedPaths, lane.workspace, ...projectRoots()]
    if (prepared.executable !== null) await refuseProjectFiles(id, prepared.executable, places)
  }

  #openEgress({ plugin, workspace }: InstanceLane, { network: rules }: Policy): EgressDoor | null {
    if (rules.length === 0) return null
    const { id: pluginId, metrics } = plugin
    return this.#options.egress.open({ pluginId, workspace, rules, total: metrics.network })
  }

  #spawnPlanned(start: PlannedStart): RunnerInstance {
    const { generation, lane, prepared, policy, egress } = start
    if (prepared.notice !== null) this.#logNotice(generation, prepared.notice)
    const dataDir = this.#dataDirectory(generation)
    makeGrantedFolders(policy.createPaths, start.identity)
    const plan = this.#plan(start, dataDir)
    for (const notice of policy.notices) this.#logNotice(generation, notice)
    const instance: RunnerInstance = new RunnerInstance(
      {
        generation,
        plan,
        attestor: this.#attestor,
        uid: start.identity?.uid ?? this.#options.machine.uid,
        mayStartProcesses: policy.process,
        baseDataBytes: start.memory.dataBytes,
        cgroup: this.#options.cgroups?.create(generation.limits) ?? null,
        reach: reachOf(generation, lane.workspace, { policy, dataDir, tier: plan.tier }),
        startTimeoutMs: this.#options.startTimeoutMs(),
        shutdownMs: generation.manifest.restart.shutdownMs,
        initialize: this.#initializeParams(start, { plan, dataDir }),
        inputRules: prepared.inputRules,
        egress,
        configuration: () => this.#options.configurationOf(generation),
        logLevel: () => this.#options.logLevelOf(generation),
      },
      {
        onAnswer: (execution, answer) => lane.answered(instance, execution, answer),
        onExit: (exit, inFlight, cause) => {
          start.release()
          void egress?.close()
          lane.exited(instance, { exit, inFlight, cause })
        },
        onNotAttested: (error) => this.refused.add(lane, instance, error),
        onDrain: () => lane.pump(),
        onObserved: this.#options.onObserved,
        onDenied: (denial, execution) => this.#options.onDenied(lane, denial, execution),
        redactor: this.#options.redactor,
        onMessage: this.#options.openOutbox(lane),
        onLog: (line) =>
          this.#options.onLog({ ...line, plugin_id: generation.id, time: new Date().toISOString() }),
      },
    )
    watchNetwork(instance)
    return instance
  }

  #plan(start: PlannedStart, dataDir: string): RunnerPlan {
    const { generation, lane, prepared } = start
    const { executable } = prepared
    return planRunner(this.#options.machine, {
      runnerDirectory: this.#options.runnerDirectory,
      pluginDir: generation.directory,
      overlayDir: prepared.overlayDir,
      validatorDir: [...prepared.operations, ...prepared.messages].some(
        (known) => known.input_validator !== null,
      )
        ? this.#options.validatorDirectory
        : null,
      workspace: lane.workspace,
      dataDir,
      policy: start.policy,
      limits: generation.limits,
      runtime: generation.runtime,
      threads: generation.threads,
      baseDataBytes: start.memory.dataBytes,
      hasEgress: start.egress !== null,
      identity: start.identity,
      isWasm: generation.manifest.type === 'wasm',
      observe: this.#options.onObserved !== null,
      gate: this.#attestor.gate({ waits: executable !== null }),
      program: executable === null ? null : programOf(generation, executable),
    })
  }

  #initializeParams(
    start: PlannedStart,
    place: { plan: RunnerPlan; dataDir: string },
  ): InstanceSpec['initialize'] {
    const { generation, lane, prepared } = start
    const { id, name, version, description, author } = generation.manifest
    return {
      protocol_version: RUNNER_PROTOCOL_VERSION,
      plugin_id: generation.id,
      plugin_version: version,
      metadata: { id, name, version, description, author: author ?? '' },
      generation: generation.number,
      execution_id_prefix: this.#nextPrefix(),
      entry: join(place.plan.pluginPath, generation.manifest.entryPoint),
      workspace: lane.workspace,
      data_dir: place.dataDir,
      eval: generation.runtime.eval,
      threads: generation.threads,
      ...(generation.threads > 0 ? { thread_bytes: start.memory.threadBytes } : {}),
      observe: this.#options.onObserved !== null,
      ...(generation.manifest.type === 'wasm' ? { grants: grantsOf(start.policy, place) } : {}),
      operations: prepared.operations,
      ...(prepared.messages.length === 0 ? {} : { messages: prepared.messages }),
      max_payload_bytes: Math.min(
        this.#options.maxPayloadBytes,
        generation.limits.maxOutputBytes ?? Infinity,
      ),
    }
  }

  /** Unlike any other of this and of earlier daemons; request ids follow it. */
  #nextPrefix(): string {
    this.#spawned += 1
    return `${this.#idPrefix}-${this.#spawned.toString(36)}-`
  }

  /** What its processes share, made once: its files' copy, its schemas, its defaults. */
  prepare(generation: Generation): Promise<PreparedPlugin> {
    const known = this.#prepared.get(generation)
    if (known !== undefined) return known
    const prepared = this.#prepare(generation)
    this.#prepared.set(generation, prepared)
    // A failure is not kept: what caused it may be mended by the next call.
    prepared.catch(() => this.#prepared.delete(generation))
    return prepared
  }

  /** From now on every change of its files counts: what is copied half is copied anew. */
  async #prepare(generation: Generation): Promise<PreparedPlugin> {
    await this.#options.onSpawned(generation)
    return await preparePlugin(generation, { compiler: this.#options.compiler, snapshots: this.snapshots })
  }

  #dataDirectory(generation: Generation): string {
    return makeDataDirectory(
      this.#options.stateDirectory,
      generation.id,
      this.#groupIdentity(generation)?.gid ?? null,
    )
  }

  /** The plugin's group, with a uid that owns nothing; null where the daemon is not root. */
  #groupIdentity(generation: Generation): RunnerIdentity | null {
    const { store, identities } = this.#options
    if (identities === null) return null
    const gid = identities.gidOf(store.pluginNumber(generation.id))
    return { uid: gid, gid }
  }

  #logNotice(generation: Generation, message: string): void {
    const level: LogLevel = 'warn'
    const time = new Date().toISOString()
    this.#options.onLog({
      level,
      message,
      source: 'host',
      execution_id: null,
      plugin_id: generation.id,
      time,
    })
  }
}
