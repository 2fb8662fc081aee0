import { join } from 'node:path'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { Permission } from '../../src/contract/permission.ts'
import type { HostConfig } from '../config/config-schema.ts'
import { Executor } from '../execution/executor.ts'
import { MemoryMonitor } from '../monitor/memory-monitor.ts'
import { createDaemonLog, type DaemonLog } from '../observe/daemon-log.ts'
import { PluginLogs } from '../observe/plugin-log.ts'
import type { EndCause } from '../process/exit-reason.ts'
import { InstanceLauncher } from '../process/instance-launcher.ts'
import { packageDirectory, runnerFiles } from '../process/runner-bundle.ts'
import { PluginRegistry } from '../registry/plugin-registry.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { createIdentityPool } from '../sandbox/identity.ts'
import { probeMachine, type Machine } from '../sandbox/machine.ts'
import { unenforced } from '../sandbox/mechanisms.ts'
import { measureMemoryBase } from '../sandbox/memory-base.ts'
import { refusalsOf } from '../sandbox/policy.ts'
import type { Store } from '../store/store.ts'
import { SchemaCompiler } from '../validation/schema-compiler.ts'

const MEGABYTE = 1024 * 1024

export interface CoreOptions {
  readonly pluginDirectory: string
  readonly stateDirectory: string
  readonly configDirectory: string | null
  readonly isPrivate: boolean
  readonly config: HostConfig
  /** Open: the lock is held. The core closes it. */
  readonly store: Store
}

/** Everything behind the socket: plugins, their processes, their logs, and what enforces their limits. */
export class DaemonCore {
  readonly options: CoreOptions
  readonly log: DaemonLog
  readonly logs: PluginLogs
  readonly machine: Machine
  readonly registry: PluginRegistry
  readonly launcher: InstanceLauncher
  readonly executor: Executor
  readonly #compiler: SchemaCompiler
  readonly #monitor: MemoryMonitor
  readonly #flushLog: () => Promise<void>

  /** @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND, PLUGIN_START_FAILED (no runner bundle) */
  static async open(options: CoreOptions): Promise<DaemonCore> {
    const machine = await probeMachine({ nodePath: process.execPath })
    const core = new DaemonCore(options, machine)
    if (machine.tier === 'process') {
      core.log.warn('isolation is of tier process', {
        reason: machine.reasonNoNamespace,
        not_held: unenforced(machine.tier),
      })
    }
    await core.registry.load()
    core.#monitor.start()
    return core
  }

  private constructor(options: CoreOptions, machine: Machine) {
    const { store, stateDirectory, config } = options
    this.options = options
    this.machine = machine
    const { log, flush } = openLog(options)
    this.log = log
    this.#flushLog = flush
    this.logs = openPluginLogs(stateDirectory, log)
    this.registry = new PluginRegistry({
      pluginDirectory: options.pluginDirectory,
      builtinDirectory: config.plugins.builtin ? join(packageDirectory(), 'plugins') : null,
      store,
      log,
      refusalOf: (plugin) => refusalText(plugin.manifest?.permissions ?? []),
    })
    const validatorDirectory = join(stateDirectory, 'validators')
    this.#compiler = new SchemaCompiler({ cacheDirectory: validatorDirectory })
    this.launcher = new InstanceLauncher({
      machine,
      requiredTier: config.security.requiredTier,
      stateDirectory,
      validatorDirectory,
      runnerFiles: runnerFiles(),
      maxPayloadBytes: config.limits.maxPayloadMb * MEGABYTE,
      startTimeoutMs: config.execution.startTimeoutMs,
      compiler: this.#compiler,
      identities: createIdentityPool(stateDirectory, process.getuid?.() ?? -1),
      store,
      baseDataBytes: memoryBase(machine, store),
      protectedPaths: [
        options.pluginDirectory,
        join(packageDirectory(), 'dist'),
        ...(options.configDirectory === null ? [] : [options.configDirectory]),
      ],
      onLog: (line) => this.logs.append(line),
    })
    this.executor = new Executor({
      spawnInstance: (plugin, lane) => this.launcher.spawn(plugin, lane),
      onExit: (plugin, exit) => this.#recordExit(plugin, exit),
      cancelGraceMs: config.execution.cancelGraceMs,
    })
    this.#monitor = new MemoryMonitor({
      watched: () => this.#watchedInstances(),
      onOverrun: (instance) => void instance.end('memory_limit'),
    })
  }

  /** Ends every process, then closes what was opened, in reverse order. Open calls get their answer. */
  async close(cause: EndCause): Promise<void> {
    this.log.info('daemon stops', { cause })
    await this.executor.close(
      cause,
      new PhantomError(
        'DAEMON_SHUTTING_DOWN',
        'Cannot run the call: the daemon is shutting down. Call again when it is back',
      ),
    )
    this.#monitor.close()
    await this.#compiler.close()
    await this.logs.close()
    await this.#flushLog()
  }

  #recordExit(plugin: RunnablePlugin, exit: ExitInfo): void {
    plugin.lastExit = exit
    try {
      this.options.store.recordExit(plugin.id, exit)
    } catch (error) {
      this.log.error('an exit cannot be recorded', { plugin_id: plugin.id, error: messageOf(error) })
    }
    const isQuiet = exit.class === 'expected' || exit.class === 'host_shutdown'
    this.log[isQuiet ? 'info' : 'warn']('a plugin process ended', { plugin_id: plugin.id, ...exit })
  }

  #watchedInstances() {
    return [...this.executor.lanes].flatMap(({ instance, plugin }) =>
      instance === null ? [] : [{ instance, maxMemoryBytes: plugin.manifest.limits.maxMemoryMb * MEGABYTE }],
    )
  }
}

function refusalText(permissions: readonly Permission[]): string | null {
  const refusals = refusalsOf(permissions)
  if (refusals.length === 0) return null
  return refusals.map(({ permission, reason }) => `"${permission.declared}": ${reason}`).join('; ')
}

function openLog(options: CoreOptions): { log: DaemonLog; flush: () => Promise<void> } {
  return createDaemonLog({
    stateDirectory: options.stateDirectory,
    level: options.config.log.level,
    isPrivate: options.isPrivate,
    journalStream: process.env['JOURNAL_STREAM'],
  })
}

function openPluginLogs(stateDirectory: string, log: DaemonLog): PluginLogs {
  return new PluginLogs({
    stateDirectory,
    clock: { now: () => Date.now(), after: afterDelay },
    onError: (pluginId, error) =>
      log.error('a plugin log cannot be written', { plugin_id: pluginId, error: messageOf(error) }),
  })
}

/** Measured once for each Node and sandbox, and remembered in the store. */
function memoryBase(machine: Machine, store: Store): () => Promise<number> {
  const key = `memory_base_bytes ${process.version} ${process.execPath} ${machine.tier}`
  let measuring: Promise<number> | null = null
  return async () => {
    const known = store.fact(key)
    if (typeof known === 'number') return known
    measuring ??= measureMemoryBase(machine).then((bytes: number) => {
      store.setFact(key, bytes)
      return bytes
    })
    return await measuring
  }
}

function afterDelay(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}
