import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ExecutionProgress, PluginExecutionResult } from '../contract/execution.ts'
import type { Priority } from '../contract/health.ts'
import type { SentMessage } from '../contract/messages.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { PluginInfo, PluginSummary } from '../contract/plugin-info.ts'
import type { PluginValidation, SystemParams } from '../contract/system-methods.ts'
import { toJsonText } from '../rpc/hostile-json.ts'
import { attachOrStart, type Attached } from './attach.ts'
import { ConfigurationMethods } from './configuration-methods.ts'
import type { DaemonSession } from './daemon-session.ts'
import { readPluginDirectory } from './read-plugin-directory.ts'

export interface ExecuteOptions {
  /** What the caller allows, waiting and start included. The plugin's own limits hold besides. */
  timeout_ms?: number
  /** The folder whose files the call is about; the connection's workspace unless given. */
  workspace?: string
  /** Which calls of the plugin go first when they have to wait; `normal` unless given. */
  priority?: Priority
  /** Cancels the call: it rejects with CALL_CANCELLED, the plugin's `signal` aborts. */
  signal?: AbortSignal
  on_progress?: (progress: ExecutionProgress) => void
}

/**
 * Main interface of the plugin system: a session with the daemon that serves one plugin directory.
 *
 * @example
 * const system = await create_plugin_system('./plugins', 'development')
 * const result = await system.execute_plugin('data_processor', 'process_pipeline', { data, pipeline })
 * await system.shutdown()
 */
export class PluginSystemApi extends ConfigurationMethods {
  #lastCall: { id: string; operation: string; text: string } | null = null

  /** For `create_plugin_system` and `connect`; applications use those, or `initialize`. */
  static ofSession(attached: Attached): PluginSystemApi {
    const system = new PluginSystemApi()
    system.attach(attached)
    return system
  }

  /**
   * Attaches to the daemon of the plugin directory that the configuration names (`plugins.directory`, `./plugins`
   * where it names none), or starts a private one.
   *
   * @param config_directory holds `default.yaml` and `<environment>.yaml`; `./config` unless given, if it is there
   * @param options `config_file` names one more file, on top of those
   * @throws PhantomError CONFIG_INVALID, PLUGIN_DIRECTORY_NOT_FOUND, RUNTIME_NOT_FOUND, DAEMON_UNREACHABLE
   */
  async initialize(
    config_directory?: string,
    environment = 'development',
    options: { config_file?: string } = {},
  ): Promise<void> {
    if (this.isAttached) throw new TypeError('Cannot initialize twice: this system is attached already')
    const folder = config_directory ?? (existsSync('./config') ? './config' : undefined)
    this.attach(
      await attachOrStart({
        plugin_directory: readPluginDirectory({
          configDirectory: folder,
          environment,
          configFile: options.config_file,
          variables: process.env,
        }),
        environment,
        workspace: process.cwd(),
        ...(folder === undefined ? {} : { config_directory: folder }),
        ...options,
      }),
    )
  }

  list_plugins(): Promise<PluginSummary[]> {
    return this.request('list_plugins', {})
  }

  /** @throws PhantomError PLUGIN_NOT_FOUND */
  get_plugin_info(id: string): Promise<PluginInfo> {
    return this.request('get_plugin_info', { plugin_id: id })
  }

  /**
   * Runs one operation of a plugin. Resolves with the whole result, also when the plugin itself failed
   * (`success: false`); rejects when the system could not run it or had to end it.
   *
   * @param input anything that is JSON; undefined counts as null
   * @throws PhantomError PLUGIN_NOT_FOUND, OPERATION_NOT_FOUND, INPUT_INVALID, PERMISSION_DENIED, LIMIT_EXCEEDED,
   * CALL_TIMEOUT, CALL_CANCELLED, QUEUE_FULL, CIRCUIT_OPEN, PLUGIN_CRASHED, PLUGIN_START_FAILED, PLUGIN_FAILED,
   * PLUGIN_DISABLED, DAEMON_LOST and others
   */
  execute_plugin<Result = unknown>(
    id: string,
    operation: string,
    input?: unknown,
    options?: ExecuteOptions,
  ): Promise<PluginExecutionResult<Result>> {
    try {
      const session = this.session()
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

  /**
   * Writes to a plugin, in the name of a sender. Resolves as soon as the message waits there; it is handed over once at
   * most, and whether it was taken stands in the recipient's log and history alone.
   *
   * @param sender a plugin's id or a name of your own, spelled like one. The recipient's manifest decides as if that
   *   plugin had sent it, and its handler is told that an application did.
   * @param payload anything that is JSON; undefined counts as null
   * @throws PhantomError PLUGIN_NOT_FOUND, MESSAGE_REFUSED, PAYLOAD_TOO_LARGE, QUEUE_FULL, CIRCUIT_OPEN, PLUGIN_BLOCKED,
   * PLUGIN_DISABLED, PLUGIN_FAILED, DAEMON_LOST and others
   */
  async send_plugin_message(
    sender: string,
    recipient: string,
    type: string,
    payload?: unknown,
  ): Promise<SentMessage> {
    const text = payload === undefined ? null : toInputText(payload)
    return await this.session().send({ sender, recipient, type }, text)
  }

  /**
   * Cancels a call by its execution id: one of this system's, or anybody's where this process may be operator. False
   * when no such call runs.
   */
  async cancel(execution_id: string): Promise<boolean> {
    if ((await this.request('cancel', { execution_id })).cancelled) return true
    return (await this.requestWidest('cancel', { execution_id })).cancelled
  }

  /** Checks a plugin folder, or a `plugin.toml`, without loading it. */
  validate_plugin(path: string): Promise<PluginValidation> {
    return this.request('validate_plugin', { path: resolve(path) })
  }

  /** The last call's params as JSON: an application mostly makes the same call again. */
  #paramsText(id: string, operation: string): string {
    const last = this.#lastCall
    if (last !== null && last.id === id && last.operation === operation) return last.text
    const text = JSON.stringify({ plugin_id: id, operation })
    this.#lastCall = { id, operation, text }
    return text
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
  if (options.priority !== undefined) params.priority = options.priority
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
