import type { AuditRecord, AuditVerification } from '../contract/audit.ts'
import type { PluginAttestation } from '../contract/attestation.ts'
import type { PluginLogLine } from '../contract/execution.ts'
import type { GenerationInfo, Incident } from '../contract/generations.ts'
import type { HistoryEntry, PluginHealth, SystemMetrics } from '../contract/health.ts'
import type { LearnedPermissions } from '../contract/learned-permissions.ts'
import type { DoctorReport } from '../contract/doctor-report.ts'
import type { DaemonStatus, SystemParams } from '../contract/system-methods.ts'
import { AttachedSystem, type FollowOptions } from './attached-system.ts'

const DEFAULT_LOG_LINES = 100
const DEFAULT_INTERVAL_MS = 1_000

export interface LogOptions {
  /** One plugin's log; all plugins' when absent. */
  plugin_id?: string
  /** How many of the last lines, 100 unless given. */
  lines?: number
  /** Follows the log: called with every later line until `signal` aborts or the system is shut down. */
  on_line?: (line: PluginLogLine) => void
  signal?: AbortSignal
}

export type AuditOptions = Omit<SystemParams<'get_audit_log'>, 'follow'> & {
  /** Called with every later line that matches until `signal` aborts or the system is shut down. */
  on_record?: (record: AuditRecord) => void
  signal?: AbortSignal
}

export type HistoryOptions = SystemParams<'get_execution_history'>

/** What goes on, and what went on. */
export abstract class ObservationMethods extends AttachedSystem {
  get_status(): Promise<DaemonStatus> {
    return this.request('get_status', {})
  }

  /** @throws PhantomError PLUGIN_NOT_FOUND */
  async get_plugin_logs(options: LogOptions = {}): Promise<PluginLogLine[]> {
    const { on_line: listener, signal, plugin_id: id } = options
    const once = { lines: options.lines ?? DEFAULT_LOG_LINES, ...(id === undefined ? {} : { plugin_id: id }) }
    const params = { once, follow: { ...once, follow: true } }
    return (await this.follow({ method: 'get_plugin_logs', params, listener, signal })).lines
  }

  /**
   * How a plugin is: its state, success and error rates, times, memory, CPU, restarts, breakers, and what its own
   * `health()` says.
   *
   * @param options `on_update` gets the same again every `interval_ms`
   * @throws PhantomError PLUGIN_NOT_FOUND
   * @example
   * const { status, calls } = await system.get_plugin_health('data_processor')
   */
  get_plugin_health(id: string, options: FollowOptions<PluginHealth> = {}): Promise<PluginHealth> {
    const { on_update: listener, signal, interval_ms = DEFAULT_INTERVAL_MS } = options
    const params = { once: { plugin_id: id }, follow: { plugin_id: id, interval_ms } }
    return this.follow({ method: 'get_plugin_health', params, listener, signal })
  }

  /**
   * Figures of the whole system: calls, times, queues, restarts, memory and CPU, per plugin and per operation.
   *
   * @param options `on_update` gets the same again every `interval_ms`
   */
  get_metrics(options: FollowOptions<SystemMetrics> = {}): Promise<SystemMetrics> {
    const { on_update: listener, signal, interval_ms = DEFAULT_INTERVAL_MS } = options
    return this.follow({
      method: 'get_metrics',
      params: { once: {}, follow: { interval_ms } },
      listener,
      signal,
    })
  }

  /**
   * Answered calls, the newest first; inputs and results are never kept. Where this process may be operator
   * everybody's, also those of earlier daemons; else those of this system.
   *
   * @param options `before` is the `at` of the last entry seen: so the next page is asked for
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  async get_execution_history(options: HistoryOptions = {}): Promise<HistoryEntry[]> {
    return (await this.requestWidest('get_execution_history', options)).entries
  }

  /**
   * What went wrong with a plugin, the newest first: ends of processes, failed starts, rejected reloads, opened
   * breakers, each with the limits that held and the last log lines.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  async get_incidents(id: string, limit?: number): Promise<Incident[]> {
    const params = { plugin_id: id, ...(limit === undefined ? {} : { limit }) }
    return (await this.request('get_incidents', params)).incidents
  }

  /**
   * The generations of a plugin, the newest first, also those that failed at a gate.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  async get_generations(id: string): Promise<GenerationInfo[]> {
    return (await this.request('get_generations', { plugin_id: id })).generations
  }

  /**
   * What a plugin would have to be granted, by what it was seen to reach for since the daemon's start; of a daemon
   * with `permissions.mode: observe`.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  get_learned_permissions(id: string): Promise<LearnedPermissions> {
    return this.request('get_learned_permissions', { plugin_id: id })
  }

  /**
   * What holds a plugin's process: of each thing what was declared and what the kernel says, by which mechanism and
   * where that was read. Starts the plugin where it sleeps.
   *
   * @param workspace the system's unless given
   * @throws PhantomError PLUGIN_NOT_FOUND, PLUGIN_BLOCKED, PLUGIN_START_FAILED
   */
  verify_plugin(id: string, workspace?: string): Promise<PluginAttestation> {
    return this.request('verify_plugin', { plugin_id: id, ...(workspace === undefined ? {} : { workspace }) })
  }

  get_doctor_report(): Promise<DoctorReport> {
    return this.request('get_doctor_report', {})
  }

  /**
   * What operators did and what was refused: the last lines of the audit log that match, the oldest first.
   *
   * @param options `action` is a whole one, or with a dot at its end the beginning of many; `on_record` gets what comes
   * @throws PhantomError PERMISSION_DENIED
   */
  async get_audit_log(options: AuditOptions = {}): Promise<AuditRecord[]> {
    const { on_record: listener, signal, ...once } = options
    const params = { once, follow: { ...once, follow: true } }
    return (await this.follow({ method: 'get_audit_log', params, listener, signal })).records
  }

  /**
   * Reads the whole audit log and says which lines were changed, removed or cut off.
   *
   * @throws PhantomError PERMISSION_DENIED
   */
  verify_audit_log(): Promise<AuditVerification> {
    return this.request('verify_audit_log', {})
  }
}
