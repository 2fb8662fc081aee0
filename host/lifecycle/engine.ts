import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { GenerationCause } from '../../src/contract/generations.ts'
import type { Manifest } from '../../src/contract/manifest.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { HostConfig } from '../config/config-schema.ts'
import type { PluginConfigs } from '../config/plugin/plugin-configs.ts'
import type { AuditEvent, AuditLog } from '../audit/audit-log.ts'
import type { PluginRights } from '../approvals/plugin-rights.ts'
import { checkInput } from '../execution/check-input.ts'
import { becomeReady } from '../execution/become-ready.ts'
import type { ExecutorPowers } from '../execution/executor.ts'
import { Executor } from '../execution/executor.ts'
import type { Execution } from '../execution/execution.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { Generation } from '../generations/generation.ts'
import { PluginConfigurer } from '../generations/configure-plugin.ts'
import { Reloader } from '../generations/reloader.ts'
import { MessageRouter } from '../messages/message-router.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { PluginLogs } from '../observe/plugin-log.ts'
import type { EndCause } from '../process/exit-reason.ts'
import type { InstanceLauncher } from '../process/instance-launcher.ts'
import { PluginKeeper, type KeeperPowers } from '../process/plugin-keeper.ts'
import { packageDirectory } from '../process/runner-bundle.ts'
import type { PluginRecord, RunnablePlugin } from '../registry/plugin-record.ts'
import { notRunnable } from '../registry/runnable.ts'
import { PluginRegistry } from '../registry/plugin-registry.ts'
import type { Store } from '../store/store.ts'
import { RestartBudget } from '../supervisor/restart-budget.ts'
import { RightsChanges, rightsProblem } from './rights-changes.ts'

export interface EngineOptions {
  readonly pluginDirectory: string
  /** Where a plugin runs for that no call named a workspace. */
  readonly defaultWorkspace: string
  /** Read at each use: the configuration may change. */
  readonly config: () => HostConfig
  readonly configs: PluginConfigs
  readonly launcher: InstanceLauncher
  readonly store: Store
  readonly rights: PluginRights
  readonly log: DaemonLog
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string
  readonly onSettled: ExecutorPowers['onSettled']
  readonly onRefused: ExecutorPowers['onRefused']
  readonly onExit: KeeperPowers['onExit']
  readonly onLog: PluginLogs['append']
  readonly record: AuditLog['record']
  readonly onIncident: ConstructorParameters<typeof Reloader>[0]['onIncident']
}

/** Plugins, their calls, their processes and their generations, wired to one another. */
export class Engine {
  readonly registry: PluginRegistry
  readonly executor: Executor
  readonly messages: MessageRouter
  readonly reloader: Reloader
  readonly configurer: PluginConfigurer
  readonly configs: PluginConfigs
  readonly rightsChanges: RightsChanges
  readonly #options: EngineOptions
  readonly #keeper: PluginKeeper
  #budget: RestartBudget
  #budgetOf: HostConfig['restart']

  constructor(options: EngineOptions) {
    this.#options = options
    this.#budgetOf = options.config().restart
    this.#budget = newBudget(this.#budgetOf)
    const { launcher, configs, log, rights } = options
    this.configs = configs
    this.registry = new PluginRegistry({
      pluginDirectory: options.pluginDirectory,
      builtinDirectory: options.config().plugins.builtin ? join(packageDirectory(), 'plugins') : null,
      store: options.store,
      log,
      onBlocked: (pluginId, reason) => options.record(blockedEvent(pluginId, reason)),
      refusalOf: refusalsBy(rights),
      redact: options.redact,
      makeGeneration: (plugin, manifest, cause) => this.#makeGeneration(plugin, manifest, cause),
    })
    this.#keeper = new PluginKeeper({
      bookRestart: (nowMs) => this.#budget.take(nowMs),
      spawnInstance: (lane, generation) => launcher.spawn(generation, lane),
      onExit: options.onExit,
      onIncident: options.onIncident,
      onGaveUp: (plugin, reason) => this.#gaveUp(plugin, reason),
    })
    this.executor = new Executor({
      spawnInstance: (lane, generation) => launcher.spawn(generation, lane),
      startDependencies: (lane, generation) => this.#startDependencies(lane, generation),
      checkInput: (execution, by) => checkInput(launcher.inputs, execution, by),
      onReady: (lane, instance) => this.#keeper.ready(lane, instance),
      onStartFailed: (lane, generation, error) => this.#keeper.startFailed(lane, generation, error),
      startDelayMs: (lane, nowMs) => this.#keeper.startDelayMs(lane, nowMs),
      onExit: (lane, end) => this.#keeper.exited(lane, end),
      onSettled: options.onSettled,
      onRefused: options.onRefused,
      onBreakerOpened: (execution) => this.#breakerOpened(execution),
      limits: () => options.config().execution,
    })
    this.messages = new MessageRouter({ ...options, registry: this.registry, executor: this.executor })
    this.configurer = this.#makeConfigurer()
    this.reloader = new Reloader({
      makeGeneration: (plugin, manifest, cause) => this.#makeGeneration(plugin, manifest, cause),
      renewGeneration: (of, cause) => this.renewGeneration(of, cause),
      refusalOf: refusalsBy(rights),
      dependencyProblem: (plugin, manifest) => this.registry.dependencyProblem(plugin, manifest),
      prepare: (generation) => launcher.prepare(generation),
      checkConfiguration: async (generation) => void (await configs.load(generation)),
      spawnInstance: (lane, generation) => launcher.spawn(generation, lane),
      trialLane: (plugin) => this.executor.laneOf(plugin as RunnablePlugin, options.defaultWorkspace),
      onReady: (lane, instance) => this.#keeper.ready(lane, instance),
      rightsProblem: (plugin, generation) => rightsProblem(rights, plugin, generation),
      isLoaded: (plugin) => this.registry.find(plugin.id) === plugin,
      limits: () => options.config().reload,
      onIncident: options.onIncident,
      onSwitched: (plugin, next) => this.#switched(plugin, next),
    })
    this.rightsChanges = new RightsChanges({ engine: this, rights, log })
  }

  /** What plugins' configurations say of the plugin as a whole: whether it is switched on. */
  async loadConfigurations(): Promise<void> {
    for (const record of this.registry.records) await this.#refresh(record)
  }

  /** A plugin that came while the daemon runs. */
  async loaded(record: PluginRecord): Promise<void> {
    await this.#refresh(record)
    if (record.isEnabled()) this.#startIfEager(record)
  }

  /** The daemon's own configuration changed; most of it is read at each use. */
  reconfigured(): void {
    const { restart } = this.#options.config()
    // What was booked counts on, unless the figures are others.
    if (
      this.#budgetOf.hostIntensity === restart.hostIntensity &&
      this.#budgetOf.hostPeriodMs === restart.hostPeriodMs
    )
      return
    this.#budgetOf = restart
    this.#budget = newBudget(restart)
  }

  /** Starts what wants to run without a call. */
  startEager(): void {
    for (const record of this.registry.records) if (record.isEnabled()) this.#startIfEager(record)
  }

  /** Ends a plugin's processes after their calls. Settles when they are gone. */
  async retire(record: PluginRecord, refusal: PhantomError): Promise<void> {
    await this.reloader.idle(record)
    const { drainTimeoutMs } = this.#options.config().reload
    await Promise.all(
      Array.from(record.lanes.values(), async (lane) => {
        lane.hold()
        lane.refuseWaiting(refusal)
        await lane.retire(drainTimeoutMs)
        await lane.close('stop', refusal)
        this.executor.forget(lane)
      }),
    )
    // Another plugin of that id may have come while this one's calls ended.
    if (this.registry.find(record.id) === null) this.#options.launcher.snapshots.forget(record.id)
  }

  /** An operator's reset: restarts and failures are counted anew, and calls come again. */
  reset(record: PluginRecord): void {
    record.current?.reset()
    if (record.state !== 'failed') return
    record.move('reset')
    record.move('manifest_valid')
    const refusal =
      record.manifest === null ? null : this.#options.rights.judge(record, record.manifest).blocked
    record.move(refusal === null ? 'rights_granted' : 'rights_refused', refusal)
    this.registry.save(record)
    this.registry.refreshDependencies()
    if (record.isEnabled()) this.#startIfEager(record)
  }

  /** A new generation with the files of another. */
  async renewGeneration(of: Generation, cause: GenerationCause): Promise<Generation> {
    const record = this.registry.get(of.id)
    const next = this.#makeGeneration(record, of.manifest, cause)
    next.snapshot = of.snapshot
    next.digest = of.digest
    await this.#options.launcher.prepare(next)
    return next
  }

  /** Ends every process; open calls get `refusal`. */
  async close(cause: EndCause, refusal: PhantomError): Promise<void> {
    this.#keeper.close()
    await Promise.all([this.reloader.close(), this.executor.close(cause, refusal)])
  }

  #makeConfigurer(): PluginConfigurer {
    return new PluginConfigurer({
      configs: this.configs,
      renew: (plugin) => this.reloader.renew(plugin, 'configuration'),
      onSwitched: (plugin) => this.#switchedOnOrOff(plugin),
      onValid: (plugin) => {
        if (plugin.state === 'failed') this.reset(plugin)
      },
    })
  }

  #makeGeneration(plugin: PluginRecord, manifest: Manifest, cause: GenerationCause): Generation {
    const { restart, breaker } = this.#options.config()
    plugin.lastGeneration += 1
    return new Generation({
      pluginId: plugin.id,
      number: plugin.lastGeneration,
      cause,
      directory: plugin.directory,
      builtin: plugin.builtin,
      manifest,
      held: this.#options.rights.heldBy(plugin, manifest),
      backoff: restart,
      breaker,
    })
  }

  #startIfEager(record: RunnablePlugin): void {
    if (record.current.manifest.runtime.activation !== 'eager') return
    if (record.isDisabled || record.dependencyProblem !== null) return
    this.executor.laneOf(record, this.#options.defaultWorkspace).wake()
  }

  /** What is wrong with it is told by the start that fails of it. */
  async #refresh(record: PluginRecord): Promise<void> {
    if (record.current === null || !existsSync(this.#options.configs.store.pathOf(record.id))) return
    await this.configurer.refresh(record).catch((error: unknown) => {
      this.#options.log.warn('a configuration is not valid', {
        plugin_id: record.id,
        error: messageOf(error),
      })
    })
  }

  /** Its processes end after their calls: nobody waits for that. */
  #switchedOnOrOff(plugin: PluginRecord): void {
    this.registry.refreshDependencies()
    if (!plugin.isDisabled) {
      if (plugin.isEnabled()) this.#startIfEager(plugin)
      return
    }
    const { drainTimeoutMs } = this.#options.config().reload
    const refusal = notRunnable(plugin)
    for (const lane of plugin.lanes.values()) {
      lane.refuseWaiting(refusal)
      void lane.retire(drainTimeoutMs)
    }
  }

  #breakerOpened({ call, instance }: Execution): void {
    const { plugin, operation, workspace } = call
    this.#options.onIncident({
      kind: 'breaker_opened',
      plugin,
      generation: instance?.generation ?? plugin.current,
      workspace,
      exit: null,
      message: `"${operation}" failed too often`,
      action: 'its calls are refused for a while, then one may try',
    })
  }

  #gaveUp(plugin: PluginRecord, reason: string): void {
    this.registry.save(plugin)
    this.registry.refreshDependencies()
    this.#options.log.error('a plugin gave up', { plugin_id: plugin.id, reason })
    this.reloader.gaveUp(plugin, reason)
  }

  #switched(plugin: PluginRecord, next: Generation): void {
    this.registry.save(plugin)
    this.registry.refreshDependencies()
    const { number, cause, manifest } = next
    this.#options.log.info('a plugin was reloaded', {
      plugin_id: plugin.id,
      generation: number,
      cause,
      version: manifest.version,
    })
    if (plugin.isEnabled()) this.#startIfEager(plugin)
    // One that was only tried does not stay.
    if (plugin.isDisabled) this.#switchedOnOrOff(plugin)
    // Its configuration may have changed while it came up.
    void this.#refresh(plugin)
  }

  /** Plugins that another needs run before it, for the same workspace. There are no circles: those never start. */
  async #startDependencies(lane: InstanceLane, generation: Generation): Promise<void> {
    const ids = Object.keys(generation.manifest.pluginDependencies)
    await Promise.all(
      ids.map(async (id) => {
        const needed = this.registry.find(id)
        if (needed === null || !needed.isEnabled() || needed.isDisabled || needed.dependencyProblem !== null)
          throw missing(generation.id, id)
        const other = this.executor.openLane(needed, lane.workspace)
        const isWanted = (): boolean => !lane.isClosed && lane.plugin.current === generation
        if (!(await becomeReady(other, isWanted))) throw missing(generation.id, id)
      }),
    )
  }
}

function newBudget({ hostIntensity, hostPeriodMs }: HostConfig['restart']): RestartBudget {
  return new RestartBudget({ intensity: hostIntensity, periodMs: hostPeriodMs })
}

function refusalsBy(rights: PluginRights): (plugin: PluginRecord, manifest: Manifest) => string | null {
  return (plugin, manifest) => rights.admit(plugin, manifest).blocked
}

function missing(id: string, needed: string): PhantomError {
  return new PhantomError(
    'DEPENDENCY_UNAVAILABLE',
    `Cannot start "${id}": "${needed}", which it needs, does not run. See "phantom why ${needed}"`,
    { details: { plugin_id: id, needs: needed } },
  )
}

function blockedEvent(pluginId: string, reason: string | null): AuditEvent {
  return {
    action: 'plugin.blocked',
    plugin_id: pluginId,
    outcome: 'refused',
    actor: null,
    details: { reason },
  }
}
