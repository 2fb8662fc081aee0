import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import type { PluginLogLine } from '../../src/contract/execution.ts'
import type { Incident } from '../../src/contract/generations.ts'
import type { PluginHealth, QueueFigures, SystemMetrics } from '../../src/contract/health.ts'
import { isPhantomError, messageOf, type PhantomError } from '../../src/contract/phantom-error.ts'
import { DEFAULT_MAX_DISK_MB } from '../../src/contract/limits.ts'
import type { CallRequest, Execution, Settlement } from '../execution/execution.ts'
import { historyOutcome } from '../execution/outcome.ts'
import type { Generation } from '../generations/generation.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { PluginLogs } from '../observe/plugin-log.ts'
import type { KeeperIncident } from '../process/plugin-keeper.ts'
import { askHealth } from '../process/runner-hooks.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Store } from '../store/store.ts'
import { DaemonFigures } from './daemon-figures.ts'
import { describePluginHealth, describeSystem, type LivePlugin } from './describe-metrics.ts'
import type { ExecutionHistory } from './execution-history.ts'
import type { Moment } from './plugin-metrics.ts'
import type { ResourceMonitor, ResourceSample } from './resource-monitor.ts'

/** How long a plugin's own `health()` may take before it is left out. */
const HEALTH_TIMEOUT_MS = 500
const INCIDENT_LOG_LINES = 20

export interface ObserverOptions {
  readonly store: Store
  readonly log: DaemonLog
  readonly logs: PluginLogs
  readonly history: ExecutionHistory
  readonly resources: ResourceMonitor
  readonly isVerbose: (generation: Generation) => boolean
  readonly redact: (text: string) => string
  /** Permissions are observed, not enforced. */
  readonly isObserving: boolean
}

type ObservedIncident = Omit<KeeperIncident, 'generation'> & { readonly generation: Generation | null }

/** Writes down what plugins do, and says how they are. */
export class PluginObserver {
  readonly #options: ObserverOptions
  readonly #daemon = new DaemonFigures()

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  close(): void {
    this.#daemon.close()
  }

  /** On the path of every call. */
  settled(execution: Execution, settlement: Settlement, nowMs: number): void {
    const { plugin, operation, workspace, priority } = execution.call
    const outcome = historyOutcome(settlement)
    const generation = execution.instance?.generation ?? plugin.current
    const executionTimeMs = nowMs - execution.acceptedAtMs
    const { code, message } = wordsOf(settlement)
    plugin.metrics.onSettled({
      operation,
      generation: generation.number,
      outcome,
      code,
      message,
      executionTimeMs,
      nowMs,
    })
    const sample = execution.instance?.figures.sampler?.last ?? null
    const started = execution.sampleAtStart
    this.#options.history.add({
      execution_id: execution.executionId,
      plugin_id: plugin.id,
      operation,
      workspace,
      generation: generation.number,
      priority,
      atEpochMs: performance.timeOrigin + nowMs,
      outcome,
      code,
      error: message,
      execution_time_ms: executionTimeMs,
      memory_used_bytes: sample?.rssBytes ?? 0,
      cpu_time_ms:
        sample === null || started === null ? 0 : Math.max(0, sample.cpuTimeMs - started.cpuTimeMs),
      connection: execution.call.caller.connectionId ?? null,
    })
    if (this.#options.isVerbose(generation)) this.#logCall(execution, outcome, executionTimeMs)
  }

  /** A call that was not taken: counted, and kept like those that were. */
  refused(call: CallRequest, error: PhantomError, nowMs: number): void {
    const { plugin, operation, workspace, priority } = call
    const generation = plugin.current.number
    const { code, message } = error
    const outcome = 'rejected'
    plugin.metrics.onSettled({ operation, generation, outcome, code, message, executionTimeMs: 0, nowMs })
    this.#options.history.add({
      execution_id: null,
      plugin_id: plugin.id,
      operation,
      workspace,
      generation,
      priority,
      atEpochMs: performance.timeOrigin + nowMs,
      outcome,
      code,
      error: message,
      execution_time_ms: 0,
      memory_used_bytes: 0,
      cpu_time_ms: 0,
      connection: call.caller.connectionId ?? null,
    })
  }

  exited(plugin: PluginRecord, exit: ExitInfo, cpuTimeMs: number): void {
    plugin.lastExit = exit
    plugin.metrics.addCpu(cpuTimeMs)
    const { store, log } = this.#options
    try {
      store.recordExit(plugin.id, exit)
    } catch (error) {
      log.error('an exit cannot be recorded', { plugin_id: plugin.id, error: messageOf(error) })
    }
    const isQuiet = exit.class === 'expected' || exit.class === 'host_shutdown'
    log[isQuiet ? 'info' : 'warn']('a plugin process ended', { plugin_id: plugin.id, ...exit })
  }

  incident(incident: ObservedIncident): void {
    const { plugin, kind, message, action } = incident
    this.#options.log.warn('an incident', { plugin_id: plugin.id, kind, message, action })
    void this.#recordIncident(incident, new Date().toISOString())
  }

  async health(plugin: PluginRecord): Promise<PluginHealth> {
    const { current } = plugin
    const nowMs = performance.now()
    const instances = activeInstances(plugin)
    const reported = await Promise.all(
      instances
        .filter((instance) => instance.hasHook('health'))
        .map(async (instance) => ({
          workspace: instance.spec.initialize.workspace,
          ...(await askHealth(instance, HEALTH_TIMEOUT_MS)),
        })),
    )
    const ready = instances.flatMap(({ figures }) => figures.readyAtMs ?? [])
    const health = {
      stateReason: plugin.reason,
      isObserving: this.#options.isObserving,
      maxQueuedCalls: current?.manifest.runtime.maxQueuedCalls ?? 0,
      breakers: Array.from(current?.breakers ?? [], ([operation, breaker]) => ({
        operation,
        ...breaker.describe(nowMs),
      })),
      uptimeMs: ready.length === 0 ? null : nowMs - Math.min(...ready),
      reported,
    }
    return describePluginHealth(this.#live(plugin), health, momentNow())
  }

  metrics(plugins: Iterable<PluginRecord>): SystemMetrics {
    const live = Array.from(plugins, (plugin) => this.#live(plugin))
    const moment = { ...momentNow(), uptimeMs: process.uptime() * 1000 }
    return describeSystem(live, this.#daemon.figures(), moment)
  }

  #live(plugin: PluginRecord): LivePlugin {
    const instances = activeInstances(plugin)
    const samples = instances.flatMap((instance) => this.#sampleOf(instance) ?? [])
    return {
      pluginId: plugin.id,
      state: plugin.state,
      generation: plugin.current?.number ?? 0,
      instances: instances.length,
      samples,
      queue: queueFigures(plugin),
      metrics: plugin.metrics,
    }
  }

  #sampleOf({ figures: { pid, sampler } }: RunnerInstance): ResourceSample | null {
    const sample = pid === null ? null : this.#options.resources.sampleOf(pid)
    if (sample !== null || sampler === null) return sample
    // The monitor has not come round to it yet.
    const { atMs, rssBytes, cpuTimeMs } = sampler.sample(performance.now())
    return rssBytes === 0 ? null : { atMs, memoryBytes: rssBytes, cpuTimeMs, cpuShare: null }
  }

  async #recordIncident(incident: ObservedIncident, at: string): Promise<void> {
    const { store, log, logs, redact } = this.#options
    const { plugin, generation, exit } = incident
    try {
      // Its last words may still be on their way.
      await new Promise((resolve) => setImmediate(resolve))
      // A log that cannot be read (EMFILE) must not cost the incident.
      const lines = await logs.tail({ plugin_id: plugin.id, lines: INCIDENT_LOG_LINES }).catch(() => [])
      const record: Incident = {
        at,
        plugin_id: plugin.id,
        kind: incident.kind,
        generation: generation?.number ?? plugin.lastGeneration,
        class: exit?.class ?? null,
        message: redact(incident.message),
        workspace: incident.workspace,
        limits: generation === null ? {} : limitsOf(generation),
        log: lines.map(({ level, message }) => `${level}: ${message}`),
        action: incident.action,
      }
      store.recordIncident(record)
    } catch (error) {
      log.error('an incident cannot be recorded', { plugin_id: plugin.id, error: messageOf(error) })
    }
  }

  /** `verbose: true` in the plugin's configuration. */
  #logCall(execution: Execution, outcome: string, executionTimeMs: number): void {
    const line: PluginLogLine = {
      time: new Date().toISOString(),
      plugin_id: execution.call.plugin.id,
      level: 'debug',
      source: 'host',
      execution_id: execution.executionId,
      message: `${execution.call.operation} ${outcome} after ${executionTimeMs.toFixed(1)} ms`,
    }
    this.#options.logs.append(line)
  }
}

function wordsOf(settlement: Settlement): { code: string | null; message: string | null } {
  if (settlement.kind === 'resolved') return { code: null, message: settlement.fault }
  const { error } = settlement
  return { code: isPhantomError(error) ? error.code : 'INTERNAL_ERROR', message: messageOf(error) }
}

function activeInstances(plugin: PluginRecord) {
  return [...plugin.lanes.values()]
    .flatMap((lane) => [...lane.instances()])
    .filter(({ state }) => state === 'ready')
}

function queueFigures(plugin: PluginRecord): QueueFigures {
  const nowMs = performance.now()
  const figures: QueueFigures = {
    waiting: plugin.queuedCalls,
    in_flight: plugin.openCalls - plugin.queuedCalls,
    by_priority: { low: 0, normal: 0, high: 0, critical: 0 },
    oldest_ms: 0,
    refused: plugin.refusedCalls,
  }
  for (const lane of plugin.lanes.values()) {
    const { low, normal, high, critical } = lane.queue.sizes()
    figures.by_priority.low += low
    figures.by_priority.normal += normal
    figures.by_priority.high += high
    figures.by_priority.critical += critical
    figures.oldest_ms = Math.max(figures.oldest_ms, lane.queue.oldestMs(nowMs))
  }
  return figures
}

function limitsOf({ limits, manifest }: Generation): Record<string, number> {
  return {
    max_memory_mb: limits.maxMemoryMb,
    max_execution_time_ms: limits.maxExecutionTimeMs,
    ...(limits.maxCpuTimeMs === null ? {} : { max_cpu_time_ms: limits.maxCpuTimeMs }),
    max_disk_mb: limits.maxDiskMb ?? DEFAULT_MAX_DISK_MB,
    concurrency: manifest.runtime.concurrency,
  }
}

function momentNow(): Moment {
  return { nowMs: performance.now(), epochMs: Date.now() }
}
