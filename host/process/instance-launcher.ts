import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { LogLevel, PluginLogLine } from '../../src/contract/execution.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { PROTOCOL_VERSION } from '../../src/contract/version.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import type { IdentityPool, RunnerIdentity } from '../sandbox/identity.ts'
import type { Machine } from '../sandbox/machine.ts'
import { planRunner, type RunnerPlan } from '../sandbox/plan-runner.ts'
import { resolvePolicy, type Policy } from '../sandbox/policy.ts'
import type { Store } from '../store/store.ts'
import type { SchemaCompiler } from '../validation/schema-compiler.ts'
import { makeDataDirectory, makeGrantedFolders } from './data-directory.ts'
import { preparePlugin, type PreparedPlugin } from './prepare-plugin.ts'
import type { RunnerFiles } from './runner-bundle.ts'
import { RunnerInstance } from './runner-instance.ts'

export interface LauncherOptions {
  readonly machine: Machine
  readonly requiredTier: 'namespace' | 'process'
  readonly stateDirectory: string
  readonly validatorDirectory: string
  readonly runnerFiles: RunnerFiles
  readonly maxPayloadBytes: number
  readonly startTimeoutMs: number
  readonly compiler: SchemaCompiler
  /** Null where the daemon is not root: its runners keep its own uid. */
  readonly identities: IdentityPool | null
  readonly store: Store
  /** What an idle runner's data segment measures: RLIMIT_DATA is that and the allowance. */
  readonly baseDataBytes: () => Promise<number>
  /** Stay read-only inside a wider grant: the plugin folders and the configuration. */
  readonly protectedPaths: readonly string[]
  readonly onLog: (line: PluginLogLine) => void
}

interface PlannedStart {
  readonly plugin: RunnablePlugin
  readonly lane: InstanceLane
  readonly prepared: PreparedPlugin
  readonly baseDataBytes: number
  readonly identity: RunnerIdentity | null
  readonly release: () => void
}

/** Brings a plugin's instance to life for one workspace: policy, plan, identity, process. */
export class InstanceLauncher {
  readonly #options: LauncherOptions
  readonly #idPrefix = randomBytes(4).toString('hex')
  readonly #prepared = new WeakMap<RunnablePlugin, Promise<PreparedPlugin>>()
  #spawned = 0

  constructor(options: LauncherOptions) {
    this.#options = options
  }

  /** What the plugin may do in that workspace, for the uid that its instance has or would have. */
  policyOf(plugin: RunnablePlugin, workspace: string, identity = this.#groupIdentity(plugin)): Policy {
    return resolvePolicy(
      plugin.manifest.permissions,
      {
        workspace,
        pluginDir: plugin.directory,
        dataDir: this.#dataDirectory(plugin),
        stateDir: this.#options.stateDirectory,
        protect: this.#options.protectedPaths,
        environment: process.env,
        identity,
      },
      this.#options.machine,
    )
  }

  /**
   * Spawns an instance; the lane starts it.
   *
   * @throws PhantomError SANDBOX_UNAVAILABLE, MANIFEST_INVALID, CONFIG_INVALID, PLUGIN_START_FAILED
   */
  async spawn(plugin: RunnablePlugin, lane: InstanceLane): Promise<RunnerInstance> {
    this.#checkTier(plugin)
    const prepared = await this.#prepare(plugin)
    const baseDataBytes = await this.#options.baseDataBytes()
    const { identities } = this.#options
    const group = this.#groupIdentity(plugin)
    const identity =
      identities === null || group === null ? null : { uid: identities.acquire(), gid: group.gid }
    const release = (): void => {
      if (identity !== null) identities?.release(identity.uid)
    }
    try {
      return this.#spawnPlanned({ plugin, lane, prepared, baseDataBytes, identity, release })
    } catch (error) {
      release()
      throw error
    }
  }

  #spawnPlanned(start: PlannedStart): RunnerInstance {
    const { plugin, lane, prepared } = start
    const { machine } = this.#options
    const dataDir = this.#dataDirectory(plugin)
    const policy = this.policyOf(plugin, lane.workspace, start.identity)
    makeGrantedFolders(policy.createPaths, start.identity)
    const plan = planRunner(machine, {
      runnerFiles: this.#options.runnerFiles,
      pluginDir: plugin.directory,
      overlayDir: prepared.overlayDir,
      validatorDir: prepared.operations.some((known) => known.input_validator !== null)
        ? this.#options.validatorDirectory
        : null,
      workspace: lane.workspace,
      dataDir,
      policy,
      limits: { maxMemoryMb: plugin.manifest.limits.maxMemoryMb },
      baseDataBytes: start.baseDataBytes,
      identity: start.identity,
    })
    for (const notice of policy.notices) this.#logNotice(plugin, notice)
    return new RunnerInstance(
      {
        plan,
        uid: start.identity?.uid ?? machine.uid,
        reach: {
          readPaths: [...policy.readPaths, plugin.directory],
          writePaths: [...policy.writePaths, dataDir],
          grantedWritePaths: policy.writePaths,
        },
        startTimeoutMs: this.#options.startTimeoutMs,
        shutdownMs: plugin.manifest.restart.shutdownMs,
        initialize: this.#initializeParams(start, { plan, dataDir }),
      },
      {
        onAnswer: (execution, answer) => lane.answered(execution, answer),
        onExit: (exit, inFlight) => {
          start.release()
          lane.exited(exit, inFlight)
        },
        onDrain: () => lane.pump(),
        onLog: (line) =>
          this.#options.onLog({ ...line, plugin_id: plugin.id, time: new Date().toISOString() }),
      },
    )
  }

  #initializeParams(
    start: PlannedStart,
    place: { plan: RunnerPlan; dataDir: string },
  ): RunnerParams['initialize'] {
    const { plugin, lane, prepared } = start
    return {
      protocol_version: PROTOCOL_VERSION,
      plugin_id: plugin.id,
      plugin_version: plugin.manifest.version,
      generation: plugin.generation,
      execution_id_prefix: this.#nextPrefix(),
      entry: join(place.plan.pluginPath, plugin.manifest.entryPoint),
      workspace: lane.workspace,
      data_dir: place.dataDir,
      config: prepared.config,
      log_level: plugin.manifest.runtime.logLevel,
      eval: plugin.manifest.runtime.eval,
      operations: prepared.operations,
      max_payload_bytes: this.#options.maxPayloadBytes,
    }
  }

  /** Fails closed: where policy demands more than this machine can hold, nothing starts. */
  #checkTier(plugin: RunnablePlugin): void {
    const { machine, requiredTier } = this.#options
    if (requiredTier === 'process' || machine.tier === 'namespace') return
    throw new PhantomError(
      'SANDBOX_UNAVAILABLE',
      `Cannot start "${plugin.id}": security.required_tier is "namespace" and this machine gives tier "${machine.tier}" ` +
        `(${machine.reasonNoNamespace}). Run "phantom doctor" to see what to mend`,
      { details: { required_tier: requiredTier, tier: machine.tier } },
    )
  }

  /** Unlike any other of this and of earlier daemons; request ids follow it. */
  #nextPrefix(): string {
    this.#spawned += 1
    return `${this.#idPrefix}-${this.#spawned.toString(36)}-`
  }

  #prepare(plugin: RunnablePlugin): Promise<PreparedPlugin> {
    const known = this.#prepared.get(plugin)
    if (known !== undefined) return known
    const { compiler, stateDirectory } = this.#options
    const prepared = preparePlugin(plugin, { compiler, stateDirectory })
    this.#prepared.set(plugin, prepared)
    // A failure is not kept: what caused it may be mended by the next call.
    prepared.catch(() => this.#prepared.delete(plugin))
    return prepared
  }

  #dataDirectory(plugin: RunnablePlugin): string {
    return makeDataDirectory(
      this.#options.stateDirectory,
      plugin.id,
      this.#groupIdentity(plugin)?.gid ?? null,
    )
  }

  /** The plugin's group, with a uid that owns nothing; null where the daemon is not root. */
  #groupIdentity(plugin: RunnablePlugin): RunnerIdentity | null {
    const { store, identities } = this.#options
    if (identities === null) return null
    const gid = identities.gidOf(store.pluginNumber(plugin.id))
    return { uid: gid, gid }
  }

  #logNotice(plugin: RunnablePlugin, message: string): void {
    const level: LogLevel = 'warn'
    const time = new Date().toISOString()
    this.#options.onLog({ level, message, source: 'host', execution_id: null, plugin_id: plugin.id, time })
  }
}
