import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ExecutionProgress, PluginExecutionResult, PluginLogLine } from '../contract/execution.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { PluginInfo, PluginSummary } from '../contract/plugin-info.ts'
import type {
  DaemonStatus,
  DoctorReport,
  PluginValidation,
  SystemMethod,
  SystemParams,
  SystemResults,
} from '../contract/system-methods.ts'
import { toJsonText } from '../rpc/hostile-json.ts'
import { attachOrStart, type Attached } from './attach.ts'
import type { DaemonSession } from './daemon-session.ts'
import { readPluginDirectory } from './read-plugin-directory.ts'

export interface ExecuteOptions {
  /** What the caller allows, waiting and start included. The plugin's own limits hold besides. */
  timeout_ms?: number
  /** The folder whose files the call is about; the connection's workspace unless given. */
  workspace?: string
  /** Cancels the call: it rejects with CALL_CANCELLED, the plugin's `signal` aborts. */
  signal?: AbortSignal
  on_progress?: (progress: ExecutionProgress) => void
}

export interface LogOptions {
  /** One plugin's log; all plugins' when absent. */
  plugin_id?: string
  /** How many of the last lines, 100 unless given. */
  lines?: number
  /** Follows the log: called with every later line until `signal` aborts or the system is shut down. */
  on_line?: (line: PluginLogLine) => void
  signal?: AbortSignal
}

/**
 * Main interface of the plugin system: a session with the daemon that serves one plugin directory.
 *
 * @example
 * const system = await create_plugin_system('./plugins', 'development')
 * const result = await system.execute_plugin('data_processor', 'process_pipeline', { data, pipeline })
 * await system.shutdown()
 */
export class PluginSystemApi implements AsyncDisposable {
  #attached: Attached | null = null
  #leaving: Promise<void> | null = null
  #lastCall: { id: string; operation: string; text: string } | null = null

  /** For `create_plugin_system` and `connect`; applications use those, or `initialize`. */
  static ofSession(attached: Attached): PluginSystemApi {
    const system = new PluginSystemApi()
    system.#attached = attached
    return system
  }

  /**
   * Attaches to the daemon of the plugin directory that the configuration names (`plugins.directory`, `./plugins`
   * where it names none), or starts a private one.
   *
   * @param config_directory holds `default.yaml` and `<environment>.yaml`; `./config` unless given, if it is there
   * @throws PhantomError CONFIG_INVALID, PLUGIN_DIRECTORY_NOT_FOUND, RUNTIME_NOT_FOUND, DAEMON_UNREACHABLE
   */
  async initialize(config_directory?: string, environment = 'development'): Promise<void> {
    if (this.#attached !== null)
      throw new TypeError('Cannot initialize twice: this system is attached already')
    const folder = config_directory ?? (existsSync('./config') ? './config' : undefined)
    this.#attached = await attachOrStart({
      plugin_directory: readPluginDirectory(folder, environment),
      environment,
      workspace: process.cwd(),
      ...(folder === undefined ? {} : { config_directory: folder }),
    })
  }

  list_plugins(): Promise<PluginSummary[]> {
    return this.#request('list_plugins', {})
  }

  /** @throws PhantomError PLUGIN_NOT_FOUND */
  get_plugin_info(id: string): Promise<PluginInfo> {
    return this.#request('get_plugin_info', { plugin_id: id })
  }

  /**
   * Runs one operation of a plugin. Resolves with the whole result, also when the plugin itself failed
   * (`success: false`); rejects when the system could not run it or had to end it.
   *
   * @param input anything that is JSON; undefined counts as null
   * @throws PhantomError PLUGIN_NOT_FOUND, OPERATION_NOT_FOUND, INPUT_INVALID, PERMISSION_DENIED, LIMIT_EXCEEDED,
   * CALL_TIMEOUT, CALL_CANCELLED, QUEUE_FULL, PLUGIN_CRASHED, PLUGIN_START_FAILED, DAEMON_LOST and others
   */
  execute_plugin<Result = unknown>(
    id: string,
    operation: string,
    input?: unknown,
    options?: ExecuteOptions,
  ): Promise<PluginExecutionResult<Result>> {
    try {
      const session = this.#session()
      const text = input === undefined ? null : toInputText(input)
      const result =
        options === undefined
          ? session.execute(this.#paramsText(id, operation), text, null).result
          : executeWith(session, { plugin_id: id, operation }, text, options)
      return result as Promise<PluginExecutionResult<Result>>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Cancels a call by its execution id, whoever made it. False when no such call runs. */
  async cancel(execution_id: string): Promise<boolean> {
    return (await this.#request('cancel', { execution_id })).cancelled
  }

  get_status(): Promise<DaemonStatus> {
    return this.#request('get_status', {})
  }

  async get_plugin_logs(options: LogOptions = {}): Promise<PluginLogLine[]> {
    const session = this.#session()
    const { on_line: onLine, signal, plugin_id: id } = options
    const params = { lines: options.lines ?? 100, ...(id === undefined ? {} : { plugin_id: id }) }
    if (onLine === undefined || signal?.aborted === true)
      return (await session.request('get_plugin_logs', params)).lines
    const following = session.follow(params, onLine)
    signal?.addEventListener('abort', following.stop, { once: true })
    return await following.lines
  }

  /** Checks a plugin folder, or a `plugin.toml`, without loading it. */
  validate_plugin(path: string): Promise<PluginValidation> {
    return this.#request('validate_plugin', { path: resolve(path) })
  }

  get_doctor_report(): Promise<DoctorReport> {
    return this.#request('get_doctor_report', {})
  }

  /**
   * Leaves the system. A private daemon ends with its last application, and then this settles when it and every
   * runner are gone; a daemon of `phantom serve` goes on. Twice is fine.
   */
  shutdown(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    if (this.#attached === null) return
    const { session, daemonExited } = this.#attached
    if (session.isClosed) return
    const { stopped } = await session.request('shutdown', {}).catch(() => ({ stopped: true }))
    await session.close()
    if (stopped) await daemonExited?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  /** The last call's params as JSON: an application mostly makes the same call again. */
  #paramsText(id: string, operation: string): string {
    const last = this.#lastCall
    if (last !== null && last.id === id && last.operation === operation) return last.text
    const text = JSON.stringify({ plugin_id: id, operation })
    this.#lastCall = { id, operation, text }
    return text
  }

  #session(): DaemonSession {
    if (this.#leaving !== null) throw new TypeError('Cannot use this plugin system: it was shut down')
    if (this.#attached === null) throw new TypeError('Cannot use this plugin system: call initialize() first')
    return this.#attached.session
  }

  async #request<M extends SystemMethod>(method: M, params: SystemParams<M>): Promise<SystemResults[M]> {
    return await this.#session().request(method, params)
  }
}

async function executeWith(
  session: DaemonSession,
  params: SystemParams<'execute_plugin'>,
  text: string | null,
  options: ExecuteOptions,
): Promise<PluginExecutionResult> {
  const { signal } = options
  if (options.timeout_ms !== undefined) params.timeout_ms = options.timeout_ms
  if (options.workspace !== undefined) params.workspace = resolve(options.workspace)
  if (options.on_progress !== undefined) params.progress = true
  if (signal?.aborted === true) throw cancelledBefore(params, signal)
  const call = session.execute(params, text, options.on_progress ?? null)
  const cancel = (): void => session.cancelRequest(call.id)
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await call.result
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

function toInputText(input: unknown): string {
  try {
    return toJsonText(input)
  } catch (error) {
    throw new TypeError(`Cannot send input: ${(error as Error).message}. Pass what JSON can express`, {
      cause: error,
    })
  }
}

function cancelledBefore(params: SystemParams<'execute_plugin'>, signal: AbortSignal): PhantomError {
  const what = `Cannot run "${params.operation}" of "${params.plugin_id}"`
  return new PhantomError('CALL_CANCELLED', `${what}: its signal was aborted before`, {
    cause: signal.reason,
  })
}
