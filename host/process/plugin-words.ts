import { LOG_LEVELS, type LogLevel } from '../../src/contract/execution.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { IdTable } from '../../src/rpc/id-table.ts'
import type { Execution } from '../execution/execution.ts'
import { escapeControl } from '../observe/escape-control.ts'
import type { InstanceEvents } from './instance-spec.ts'
import type { OutputLine } from './runner-output.ts'

const MAX_VIOLATION_CHARS = 500

/** The calls that a process runs, as its words are attributed to them. */
export interface CallsInFlight {
  readonly inFlight: IdTable<Execution>
  byExecutionId(executionId: string): Execution | null
}

/** All text that a process says beside its results: cut, without secrets, and attributed to its call. */
export class PluginWords {
  readonly #events: Pick<InstanceEvents, 'onLog' | 'redactor'>
  readonly #calls: CallsInFlight
  readonly #level: () => LogLevel
  #violation: string | null = null

  /** @param level the least that is kept of what it logs; asked for each line, for it may change */
  constructor(
    events: Pick<InstanceEvents, 'onLog' | 'redactor'>,
    calls: CallsInFlight,
    level: () => LogLevel,
  ) {
    this.#events = events
    this.#calls = calls
    this.#level = level
  }

  /** What the host itself has to say about the process, in the plugin's log. */
  ofHost(level: LogLevel, message: string): void {
    this.#events.onLog({
      level,
      source: 'host',
      execution_id: null,
      message: this.#events.redactor.redact(message),
    })
  }

  /** Why the process is ended, which may quote what it sent. The first time counts. */
  violated(what: string): void {
    this.#violation ??= escapeControl(this.#events.redactor.redact(what)).slice(0, MAX_VIOLATION_CHARS)
    this.ofHost('error', `protocol violation, the process is ended: ${what}`)
  }

  get violation(): string | null {
    return this.#violation
  }

  /** False for a notification that the contract does not know. */
  notified(method: string, params: unknown): boolean {
    const { level, message, execution_id: executionId, id, fraction } = params as Record<string, unknown>
    if (method === 'log' && typeof message === 'string' && isLogLevel(level)) {
      this.#logged(level, this.#clean(message), executionId)
    } else if (method === 'progress' && typeof id === 'number' && isProgress(fraction, message)) {
      this.#progressed(id, fraction, message)
    } else {
      return false
    }
    return true
  }

  /** A line of stdout or stderr, redacted already, names a call only while exactly one is in flight. */
  printed(output: OutputLine): void {
    const only = this.onlyCall()
    only?.addLog(output.level, escapeControl(output.message))
    this.#events.onLog({ ...output, execution_id: only?.executionId ?? null })
  }

  /** What says nothing of its call belongs to the one that runs; null where none or several do. */
  onlyCall(): Execution | null {
    const { inFlight } = this.#calls
    return inFlight.size === 1 ? (inFlight.values().next().value ?? null) : null
  }

  /** A plugin's own words may hold what its configuration told it in confidence; a call's result may, too, and stays. */
  inAnswer(answer: Answer): Answer {
    if (answer.error !== null) return { error: this.#redacted(answer.error) as typeof answer.error }
    if (answer.result === null) return answer
    return { ...answer, result: this.#redacted(answer.result) }
  }

  /** A runner leaves out by itself what is below the plugin's level; a native plugin may not, nor one that lies. */
  #logged(level: LogLevel, message: string, executionId: unknown): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#level())) return
    const execution = typeof executionId === 'string' ? this.#calls.byExecutionId(executionId) : null
    execution?.addLog(level, escapeControl(message))
    this.#events.onLog({ level, source: 'log', execution_id: execution?.executionId ?? null, message })
  }

  #progressed(id: number, fraction: unknown, message: unknown): void {
    const execution = Number.isSafeInteger(id) && id >= 0 ? this.#calls.inFlight.get(id) : undefined
    if (execution === undefined || execution.isSettled) return
    execution.call.onProgress?.({
      execution_id: execution.executionId!,
      fraction: typeof fraction === 'number' ? Math.min(1, Math.max(0, fraction)) : null,
      message: typeof message === 'string' ? this.#clean(message) : null,
    })
  }

  /** The wire has capped its depth. */
  #redacted(value: unknown): unknown {
    if (typeof value === 'string') return this.#redactedText(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => this.#redacted(item))
    const entries = Object.entries(value).map(([key, item]) => [
      this.#events.redactor.redact(key),
      this.#redacted(item),
    ])
    return Object.fromEntries(entries)
  }

  #redactedText(text: string): string {
    const { redactor } = this.#events
    return text.length >= MAX_PLUGIN_TEXT_CHARS ? redactor.redactCut(text) : redactor.redact(text)
  }

  /** Redacted before it is cut: half a secret would not be recognised. The runner cuts, too. */
  #clean(text: string): string {
    return this.#redactedText(text).slice(0, MAX_PLUGIN_TEXT_CHARS)
  }
}

/** Each is told where it is known; null is known to be none. */
function isProgress(fraction: unknown, message: unknown): boolean {
  return typeof (fraction ?? 0) === 'number' && typeof (message ?? '') === 'string'
}

function isLogLevel(value: unknown): value is LogLevel {
  return LOG_LEVELS.includes(value as LogLevel)
}
