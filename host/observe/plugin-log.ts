import { existsSync, mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { EventEmitter } from 'eventemitter3'
import type { PluginLogLine } from '../../src/contract/execution.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { escapeControl, escapeControlInJson } from './escape-control.ts'
import { LineRate } from './line-rate.ts'
import { LineRing } from './line-ring.ts'
import { pluginLogFileName, pluginOfLogFile, readLastLines } from './plugin-log-file.ts'
import { RotatingFile } from './rotating-file.ts'

const FILE_MAX_BYTES = 5 * 1024 * 1024
const MAX_FILES = 3
/** What may wait for a slow disk, a plugin; beyond it lines reach memory and subscribers alone. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024
const DROP_REPORT_MS = 1000
const CUT_MARK = ' … (cut)'

interface PluginLogClock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Calls once after that time, and keeps no process alive for it; the answer cancels. */
  readonly after: (delayMs: number, run: () => void) => () => void
}

export interface PluginLogsOptions {
  readonly stateDirectory: string
  readonly clock: PluginLogClock
  /** A log file that cannot be written, told once for each stretch of failures. */
  readonly onError: (pluginId: string, error: unknown) => void
}

export type PluginLogListener = (line: PluginLogLine) => void

interface PluginLog {
  readonly ring: LineRing
  readonly rate: LineRate
  file: RotatingFile | null
  cancelReport: (() => void) | null
}

/**
 * The logs of all plugins: the last lines in memory, all lines in a file each, what comes to whoever listens.
 * Every line is hostile: its rate, its length and its control characters are held here.
 */
export class PluginLogs {
  readonly #options: PluginLogsOptions
  readonly #folder: string
  readonly #logs = new Map<string, PluginLog>()
  readonly #lines = new EventEmitter<{ line: [PluginLogLine] }>()
  #isClosed = false

  constructor(options: PluginLogsOptions) {
    this.#options = options
    this.#folder = join(options.stateDirectory, 'logs', 'plugins')
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
  }

  /** Lines of the host itself are never dropped. */
  append(line: PluginLogLine): void {
    if (this.#isClosed) return
    const log = this.#logOf(line.plugin_id)
    if (line.source !== 'host' && !log.rate.admits(this.#options.clock.now())) {
      log.cancelReport ??= this.#options.clock.after(DROP_REPORT_MS, () =>
        this.#reportDropped(line.plugin_id, log),
      )
      return
    }
    this.#keep(log, { ...line, message: toShown(line.message) })
  }

  /** The last lines of one plugin, or of all by time; those of a daemon before this one among them. */
  async tail(request: { plugin_id?: string; lines: number }): Promise<PluginLogLine[]> {
    if (request.lines <= 0) return []
    const pluginIds = request.plugin_id === undefined ? await this.#knownPlugins() : [request.plugin_id]
    const merged: PluginLogLine[] = []
    for (const pluginId of pluginIds) {
      // A name that nobody ever logged under must not take memory.
      if (!this.#logs.has(pluginId) && !existsSync(this.#pathOf(pluginId))) continue
      merged.push(...this.#logOf(pluginId).ring.lines())
      // Each first sight reads a file: with many plugins the daemon answers others in between.
      if (pluginIds.length > 1) await setImmediate()
    }
    // Stable: lines of the same millisecond keep their order.
    return merged.toSorted((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time))).slice(-request.lines)
  }

  /** Calls for each line from now on, of one plugin or (null) of all; the answer ends it. */
  subscribe(pluginId: string | null, listener: PluginLogListener): () => void {
    const filtered = (line: PluginLogLine): void => {
      if (pluginId === null || pluginId === line.plugin_id) listener(line)
    }
    this.#lines.on('line', filtered)
    return () => void this.#lines.off('line', filtered)
  }

  /** Resolves when every line so far is in its file. */
  async flush(): Promise<void> {
    for (const [pluginId, log] of this.#logs) this.#reportDropped(pluginId, log)
    await Promise.all(this.#files().map((file) => file.flush()))
  }

  /** Writes what waits; lines after it are dropped. */
  async close(): Promise<void> {
    if (!this.#isClosed) for (const [pluginId, log] of this.#logs) this.#reportDropped(pluginId, log)
    this.#isClosed = true
    this.#lines.removeAllListeners()
    await Promise.all(this.#files().map((file) => file.close()))
  }

  #logOf(pluginId: string): PluginLog {
    const known = this.#logs.get(pluginId)
    if (known !== undefined) return known
    const log = {
      ring: new LineRing(),
      rate: new LineRate(this.#options.clock.now()),
      file: null,
      cancelReport: null,
    }
    for (const line of readLastLines(this.#pathOf(pluginId), pluginId)) log.ring.push(line)
    this.#logs.set(pluginId, log)
    return log
  }

  #files(): RotatingFile[] {
    return [...this.#logs.values()].flatMap((log) => log.file ?? [])
  }

  #keep(log: PluginLog, line: PluginLogLine): void {
    log.ring.push(line)
    const file = (log.file ??= this.#openFile(line.plugin_id))
    if (file.writableLength < MAX_WAITING_CHARS) file.write(`${escapeControlInJson(JSON.stringify(line))}\n`)
    this.#lines.emit('line', line)
  }

  #reportDropped(pluginId: string, log: PluginLog): void {
    log.cancelReport?.()
    log.cancelReport = null
    const dropped = log.rate.takeDropped()
    if (dropped === 0 || this.#isClosed) return
    this.#keep(log, {
      time: new Date(this.#options.clock.now()).toISOString(),
      plugin_id: pluginId,
      level: 'warn',
      source: 'host',
      execution_id: null,
      message: `"${pluginId}" logs too fast: ${dropped} lines dropped, over ${LineRate.linesPerSecond} a second`,
    })
  }

  #openFile(pluginId: string): RotatingFile {
    return new RotatingFile({
      path: this.#pathOf(pluginId),
      maxBytes: FILE_MAX_BYTES,
      maxFiles: MAX_FILES,
      onError: (error) => this.#options.onError(pluginId, error),
    })
  }

  #pathOf(pluginId: string): string {
    return join(this.#folder, pluginLogFileName(pluginId))
  }

  async #knownPlugins(): Promise<string[]> {
    const stored = (await readdir(this.#folder)).flatMap((name) => pluginOfLogFile(name) ?? [])
    return [...new Set([...this.#logs.keys(), ...stored])]
  }
}

function toShown(text: string): string {
  const isLong = text.length > MAX_PLUGIN_TEXT_CHARS
  // Cut first: escaping makes a character up to six. A pair of surrogates may be cut in two by it.
  const cut = isLong ? text.slice(0, MAX_PLUGIN_TEXT_CHARS - CUT_MARK.length) + CUT_MARK : text
  return escapeControl(cut.toWellFormed())
}
