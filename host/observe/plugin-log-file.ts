import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { LOG_LEVELS, type LogLevel, type PluginLogLine } from '../../src/contract/execution.ts'

const SUFFIX = '.log'
/** Read back at the start: some thousand lines of ordinary length, in about a millisecond. */
const TAIL_BYTES = 256 * 1024
const SOURCES = ['log', 'stdout', 'stderr', 'host'] as const

/** Percent signs keep a separator or a dot-dot in an id from leaving the folder. */
export function pluginLogFileName(pluginId: string): string {
  return `${encodeURIComponent(pluginId)}${SUFFIX}`
}

export function pluginOfLogFile(fileName: string): string | null {
  if (!fileName.endsWith(SUFFIX)) return null
  try {
    return decodeURIComponent(fileName.slice(0, -SUFFIX.length))
  } catch {
    // A file with a stray percent sign is none of ours.
    return null
  }
}

/** The last lines that a daemon before this one wrote; what is torn or strange is left out. */
export function readLastLines(path: string, pluginId: string): PluginLogLine[] {
  const { text, isWhole } = readEnd(path)
  const lines = text.split('\n')
  // The first one was cut by where the reading began.
  return (isWhole ? lines : lines.slice(1)).flatMap((line) => parseLine(line, pluginId))
}

function readEnd(path: string): { text: string; isWhole: boolean } {
  let descriptor: number | null = null
  try {
    descriptor = openSync(path, 'r')
    const { size } = fstatSync(descriptor)
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
    const bytes = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
    return { text: buffer.toString('utf8', 0, bytes), isWhole: size <= TAIL_BYTES }
  } catch {
    // No log yet, or none that can be read: a plugin must be able to run and log without its past.
    return { text: '', isWhole: true }
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

function parseLine(text: string, pluginId: string): PluginLogLine[] {
  if (text === '') return []
  try {
    const line = JSON.parse(text) as Partial<Record<keyof PluginLogLine, unknown>> | null
    const source = SOURCES.find((known) => known === line?.source)
    if (typeof line?.time !== 'string' || typeof line.message !== 'string' || source === undefined) return []
    const { time, message } = line
    const level: LogLevel = LOG_LEVELS.find((known) => known === line.level) ?? 'info'
    const executionId = typeof line.execution_id === 'string' ? line.execution_id : null
    return [{ time, plugin_id: pluginId, level, source, execution_id: executionId, message }]
  } catch {
    // A line that a killed daemon left half written.
    return []
  }
}
