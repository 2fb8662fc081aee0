import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { PACKAGE_VERSION } from '../../src/contract/version.ts'
import type { AuditOutcome } from '../../src/contract/audit.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { CgroupTree, treeIn } from '../cgroup/cgroup-tree.ts'
import type { HostConfig } from '../config/config-schema.ts'
import type { HostConfigSource } from '../config/host-config-source.ts'
import type { PolicySource } from '../config/policy/policy-source.ts'
import { PluginConfigStore } from '../config/plugin/plugin-config-store.ts'
import { PluginConfigs } from '../config/plugin/plugin-configs.ts'
import { EgressDoors } from '../egress/egress-doors.ts'
import { DenialDesk } from '../denials/denial-desk.ts'
import type { PluginRights } from '../approvals/plugin-rights.ts'
import { assertMayObserve } from '../learning/may-observe.ts'
import { Observations } from '../learning/observations.ts'
import { openOutbox } from '../messages/open-outbox.ts'
import { ExecutionHistory } from '../metrics/execution-history.ts'
import { PluginObserver } from '../metrics/plugin-observer.ts'
import { ProcessWatch } from '../monitor/process-watch.ts'
import { raiseSession } from '../monitor/raise-session.ts'
import type { DaemonLog, OpenDaemonLog } from '../observe/daemon-log.ts'
import type { PluginLogs } from '../observe/plugin-log.ts'
import type { EndCause } from '../process/exit-reason.ts'
import { InstanceLauncher } from '../process/instance-launcher.ts'
import { packageDirectory, runnerDirectory } from '../process/runner-bundle.ts'
import { createIdentityPool } from '../sandbox/identity.ts'
import { probeMachine, type Machine } from '../sandbox/machine.ts'
import { unenforced } from '../sandbox/mechanisms.ts'
import { Redactor } from '../secrets/redactor.ts'
import { openVariables } from '../secrets/open-variables.ts'
import type { Variables } from '../secrets/variables.ts'
import type { Store } from '../store/store.ts'
import { SchemaCompiler } from '../validation/schema-compiler.ts'
import { Engine } from './engine.ts'
import { configFolder, ownFolders, refuseOwnFile, validatorFolder } from './own-folders.ts'
import { openAudit, openLog, openPluginLogs } from './open-logs.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { openRights } from './open-rights.ts'
import { PluginFiles } from './plugin-files.ts'
import { rememberMemoryBase } from './remember-memory-base.ts'

const OBSERVING =
  'permissions are observed, not enforced: what plugins reach for is written down, and the sandbox alone holds them'
const MEGABYTE = 1024 * 1024
const THROTTLED = 'a plugin takes more than its share of the processor and is made nicer'

export interface CoreOptions extends Omit<DaemonOptions, 'configFile' | 'verifiesAudit'> {
  readonly stateDirectory: string
  readonly configSource: HostConfigSource
  /** Open: the lock is held. The core closes it. */
  readonly store: Store
}

/** Everything behind the socket: plugins, their processes, their logs, and what enforces their limits. */
export class DaemonCore {
  readonly options: CoreOptions
  readonly log: DaemonLog
  readonly logs: PluginLogs
  readonly machine: Machine
  /** Null where this machine delegates no part of cgroup v2. */
  readonly cgroups: CgroupTree | null = treeIn(CgroupTree.ofMachine())
  readonly engine: Engine
  readonly launcher: InstanceLauncher
  readonly observer: PluginObserver
  readonly history: ExecutionHistory
  readonly audit: AuditLog
  readonly rights: PluginRights
  readonly policy: PolicySource
  readonly redactor = new Redactor()
  readonly observations = new Observations()
  readonly #compiler: SchemaCompiler
  readonly #watch: ProcessWatch
  readonly #files: PluginFiles
  readonly #egress: EgressDoors
  readonly #denials: DenialDesk
  readonly variables: Variables
  readonly #setLogLevel: OpenDaemonLog['setLevel']
  readonly #flushLog: () => Promise<void>
  readonly #config = (): HostConfig => this.options.configSource.current.config
  readonly #redact = (text: string): string => this.redactor.redact(text)

  /** @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND, PLUGIN_START_FAILED (no runner bundle) */
  static async open(options: CoreOptions): Promise<DaemonCore> {
    const { stateDirectory } = options
    const machine = await probeMachine({ nodePath: process.execPath, libraryDirectory: stateDirectory })
    const { mode } = options.configSource.current.config.permissions
    assertMayObserve(mode, options.environment, machine)
    const core = new DaemonCore(options, machine)
    if (mode === 'observe') core.log.warn(OBSERVING)
    core.record('daemon.started', {
      version: PACKAGE_VERSION,
      pid: process.pid,
      uid: process.getuid?.() ?? null,
      environment: options.environment,
      private: options.isPrivate,
      tier: machine.tier,
      permissions_mode: mode,
    })
    if (machine.tier === 'process') {
      core.log.warn('isolation is of tier process', {
        reason: machine.reasonNoNamespace,
        not_held: unenforced(machine.tier),
      })
    }
    core.#raiseSession()
    // The watcher first: what changes while the plugins are read is not missed.
    await core.#files.start()
    await core.engine.registry.load()
    core.launcher.snapshots.forgetOthers(new Set(Array.from(core.engine.registry.records, ({ id }) => id)))
    await core.engine.loadConfigurations()
    core.#files.watchKnown()
    core.#watch.start()
    core.history.start()
    core.engine.startEager()
    return core
  }

  private constructor(options: CoreOptions, machine: Machine) {
    const { store, stateDirectory } = options
    this.options = options
    this.machine = machine
    const { log, flush, setLevel } = openLog(options, this.#redact)
    this.log = log
    this.#setLogLevel = setLevel
    this.#flushLog = flush
    this.variables = openVariables({ ...options, ...this.#config().security }, this.redactor, log)
    this.logs = openPluginLogs(stateDirectory, log)
    this.audit = openAudit(options, log, this.#redact)
    const record: AuditLog['record'] = (event) => this.audit.record(event)
    this.#egress = new EgressDoors({ config: () => this.#config().egress, record })
    this.#denials = new DenialDesk({ record, onLog: (line) => this.logs.append(line) })
    this.#compiler = new SchemaCompiler({ cacheDirectory: validatorFolder(stateDirectory) })
    const configs = this.#openConfigs(configFolder(options))
    this.launcher = this.#openLauncher(configs)
    const onPolicyChanged = (): Promise<void> => this.engine.rightsChanges.policyChanged()
    const { policy, rights } = openRights(options, { log, record, onPolicyChanged })
    this.policy = policy
    this.rights = rights
    this.#watch = new ProcessWatch({
      lanes: () => this.engine.executor.lanes,
      config: this.#config,
      onThrottled: ({ plugin }, { pid }, cpuShare) => {
        log.warn(THROTTLED, { plugin_id: plugin.id, pid, cpu_share: cpuShare })
      },
    })
    const { retentionDays, maxEntries } = this.#config().history
    const onNotice = (text: string): void => log.warn(text)
    const history = { table: store.executions, retentionDays, maxEntries, onNotice }
    this.history = new ExecutionHistory({ ...history, redact: this.#redact, epochMs: () => Date.now() })
    this.observer = new PluginObserver({
      store,
      log,
      logs: this.logs,
      history: this.history,
      resources: this.#watch.resources,
      isVerbose: (generation) => configs.commonOf(generation)?.verbose === true,
      redact: this.#redact,
      isObserving: this.#config().permissions.mode === 'observe',
    })
    this.engine = this.#openEngine(configs)
    this.#files = new PluginFiles({
      engine: this.engine,
      pluginDirectory: options.pluginDirectory,
      configFolder: configFolder(options),
      config: () => this.#config().reload,
      log,
    })
  }

  /** The daemon's own configuration changed: what is not read at each use hears of it here. */
  async reconfigured(): Promise<void> {
    const { log, history } = this.#config()
    this.#setLogLevel(log.level)
    this.history.retain(history)
    this.engine.reconfigured()
    this.policy.follow()
    this.#raiseSession()
    await this.#files.reconfigured()
  }

  /** Without a sandbox plugins share the daemon's session, and would be raised with it. */
  #raiseSession(): void {
    const { daemonNice } = this.#config().throttle
    if (this.machine.tier !== 'namespace' || !raiseSession(daemonNice)) return
    this.log.info('the nice value of the daemon session was set', { session_nice: daemonNice })
  }

  /** Ends every process, then closes what was opened, in reverse order. Open calls get their answer. */
  async close(cause: EndCause): Promise<void> {
    this.log.info('daemon stops', { cause })
    this.policy.close()
    await this.#files.close()
    this.#watch.stopKeeping()
    await this.engine.close(
      cause,
      new PhantomError(
        'DAEMON_SHUTTING_DOWN',
        'Cannot run the call: the daemon is shutting down. Call again when it is back',
      ),
    )
    await this.#watch.close()
    this.observer.close()
    await this.#egress.close()
    await Promise.all([this.#compiler.close(), this.launcher.inputs.close()])
    this.history.close()
    await this.logs.close()
    this.record('daemon.stopped', { cause })
    await this.audit.close()
    await this.#flushLog()
  }

  /** Something that the daemon did by itself. */
  record(action: string, details: Readonly<Record<string, unknown>>, outcome: AuditOutcome = 'done'): void {
    this.audit.record({ action, plugin_id: null, outcome, actor: null, details })
  }

  #openLauncher(configs: PluginConfigs): InstanceLauncher {
    const { pluginDirectory, stateDirectory, store } = this.options
    const config = this.#config
    return new InstanceLauncher({
      machine: this.machine,
      cgroups: this.cgroups,
      requiredTier: config().security.requiredTier,
      stateDirectory,
      validatorDirectory: validatorFolder(stateDirectory),
      runnerDirectory: runnerDirectory(),
      maxPayloadBytes: config().limits.maxPayloadMb * MEGABYTE,
      startTimeoutMs: () => config().execution.startTimeoutMs,
      compiler: this.#compiler,
      identities: createIdentityPool(stateDirectory, process.getuid?.() ?? -1),
      store,
      memoryBase: rememberMemoryBase(this.machine, store),
      hiddenPaths: ownFolders(this.options),
      protectedPaths: [pluginDirectory, join(packageDirectory(), 'dist')],
      projectRoots: () => [dirname(pluginDirectory), ...config().workspace.roots],
      loadConfiguration: async (generation) => void (await configs.load(generation)),
      checkDisk: (generation, dataDir) => this.#watch.disk.assertRoom(generation, dataDir),
      configurationOf: (generation) => configs.of(generation)!.forProcess,
      logLevelOf: (generation) => configs.commonOf(generation)?.logLevel ?? generation.runtime.logLevel,
      redactor: this.redactor,
      variables: this.variables,
      onSpawned: (generation) => this.#files.watchRunning(generation.directory),
      onLog: (line) => this.logs.append(line),
      egress: this.#egress,
      onObserved:
        config().permissions.mode === 'observe'
          ? (access, reach) => this.observations.add(access, reach)
          : null,
      onDenied: (lane, denial, execution) => this.#denials.denied(lane, denial, execution),
      openOutbox: (lane) => openOutbox(this.engine.messages, lane),
      record: (event) => this.audit.record(event),
    })
  }

  #openEngine(configs: PluginConfigs): Engine {
    const { observer } = this
    return new Engine({
      pluginDirectory: this.options.pluginDirectory,
      defaultWorkspace: dirname(this.options.pluginDirectory),
      config: this.#config,
      configs,
      launcher: this.launcher,
      store: this.options.store,
      rights: this.rights,
      log: this.log,
      redact: this.#redact,
      onSettled: (execution, settlement, nowMs) => observer.settled(execution, settlement, nowMs),
      onRefused: (call, error, nowMs) => observer.refused(call, error, nowMs),
      onExit: (plugin, exit, cpuTimeMs) => observer.exited(plugin, exit, cpuTimeMs),
      onIncident: (incident) => observer.incident(incident),
      onLog: (line) => this.logs.append(line),
      record: (event) => this.audit.record(event),
    })
  }

  #openConfigs(folder: string): PluginConfigs {
    const { stateDirectory, configDirectory, environment } = this.options
    // A folder that is not there is awaited by watching the one above, where the daemon itself writes all the time.
    if (configDirectory === null) mkdirSync(folder, { recursive: true, mode: 0o700 })
    return new PluginConfigs({
      store: new PluginConfigStore({
        folder,
        revisionsFolder: join(stateDirectory, 'revisions'),
        now: () => new Date().toISOString(),
      }),
      environment,
      checker: this.#compiler,
      variables: process.env,
      refuseFile: (path) =>
        refuseOwnFile(path, [
          stateDirectory,
          ...(configDirectory === null ? [] : [configDirectory]),
          ...(this.variables.secretsFile === null ? [] : [this.variables.secretsFile]),
        ]),
      redactor: this.redactor,
      onWarning: (id, warning) => this.log.warn(warning, { plugin_id: id }),
    })
  }
}
