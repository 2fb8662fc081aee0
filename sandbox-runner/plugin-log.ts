import { inspect } from 'node:util'
import { LOG_LEVELS, type LogLevel } from '../src/contract/execution.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../src/contract/limits.ts'
import type { RunnerNotifications } from '../src/contract/runner-methods.ts'
import type { Connection } from '../src/rpc/connection.ts'
import type { PluginLog } from '../src/plugin/plugin-context.ts'

/** Sends what a plugin logs to the host. A host that cannot keep up costs lines, never memory. */
export class LogSender {
  readonly #connection: Connection
  #lowest = 0
  #droppedLines = 0

  constructor(connection: Connection, level: LogLevel) {
    this.#connection = connection
    this.setLevel(level)
  }

  /** Also for the logs that plugin code has already. */
  setLevel(level: LogLevel): void {
    this.#lowest = Math.max(0, LOG_LEVELS.indexOf(level))
  }

  isSent(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#lowest
  }

  send(level: LogLevel, message: unknown, executionId?: string): void {
    if (!this.isSent(level)) return
    if (this.#connection.isOverBudget) {
      this.#droppedLines += 1
      return
    }
    if (this.#droppedLines > 0) {
      const dropped = `${this.#droppedLines} log lines were dropped: they came faster than the host could take them`
      this.#droppedLines = 0
      this.#notify('warn', dropped)
    }
    this.#notify(level, toText(message), executionId)
  }

  /** The log that plugin code gets. Its functions may be taken off it. */
  logFor(executionId?: string): PluginLog {
    const at =
      (level: LogLevel): PluginLog['info'] =>
      (message, fields) => {
        if (!this.isSent(level)) return
        this.send(
          level,
          fields === undefined ? message : `${toText(message)} ${fieldsText(fields)}`,
          executionId,
        )
      }
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  }

  #notify(level: LogLevel, message: string, executionId?: string): void {
    const params: RunnerNotifications['log'] = { level, message: message.slice(0, MAX_PLUGIN_TEXT_CHARS) }
    if (executionId !== undefined) params.execution_id = executionId
    this.#connection.notify('log', params)
  }
}

function toText(message: unknown): string {
  if (typeof message === 'string') return message
  try {
    return inspect(message, { breakLength: Infinity })
  } catch {
    // A getter, a proxy or an inspect method of the plugin's threw.
    return 'a value that cannot be shown'
  }
}

function fieldsText(fields: unknown): string {
  try {
    return JSON.stringify(fields) ?? ''
  } catch {
    // Circular, or a BigInt: shown the way a console would.
    return toText(fields)
  }
}
