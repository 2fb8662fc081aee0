import { appendFileSync, fstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import winston from 'winston'
import type { LogLevel } from '../../src/contract/execution.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { escapeControl } from './escape-control.ts'
import { type LogEntry, type LogFields, toHumanLine, toJournalLine, toJsonLine } from './log-entry.ts'
import { RotatingFile } from './rotating-file.ts'

const FILE_MAX_BYTES = 10 * 1024 * 1024
const MAX_FILES = 5
/** Where winston leaves and looks for the finished line (https://github.com/winstonjs/triple-beam). */
const LINE = Symbol.for('message')

type LogMethod = (message: string, fields?: LogFields) => void

/** What the parts of the daemon log to. */
export type DaemonLog = Readonly<Record<LogLevel, LogMethod>>

export interface OpenDaemonLog {
  readonly log: DaemonLog
  readonly flush: () => Promise<void>
  readonly setLevel: (level: LogLevel) => void
}

export interface DaemonLogOptions {
  readonly stateDirectory: string
  readonly level: LogLevel
  /** A private daemon has nobody at its stderr: it writes the file alone. */
  readonly isPrivate: boolean
  /** `JOURNAL_STREAM` of the environment. */
  readonly journalStream?: string | undefined
  /** Takes secrets out of a finished line. Semantics: absent, there are none. */
  readonly redact?: (text: string) => string
}

/**
 * Under systemd lines go to the journal by stderr and nowhere else; otherwise as JSON into
 * `logs/daemon.log`, and for people to stderr. `process.exit` loses what was not flushed before; lines that
 * come after `flush` are still written, one by one.
 */
export function createDaemonLog(options: DaemonLogOptions): OpenDaemonLog {
  const isJournal = goesToJournal(options.journalStream)
  const { redact = (text: string) => text } = options
  const file = isJournal ? null : openFile(options.stateDirectory)
  const logger = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: lineFormat((entry) => redact(toJsonLine(entry))),
    transports: createTransports({ file, isJournal, hasStderr: isJournal || !options.isPrivate, redact }),
  })
  let flushing: Promise<void> | null = null
  const write = (level: LogLevel, message: string, fields: LogFields): void => {
    const entry = { time: new Date().toISOString(), level, message, fields }
    if (flushing === null) logger.log(entry)
    else if (logger.isLevelEnabled(level)) writeLate(entry, file, redact)
  }
  const flush = (): Promise<void> => (flushing ??= finish(logger).then(() => file?.close()))
  return { log: toDaemonLog(write), flush, setLevel: (level) => void (logger.level = level) }
}

/**
 * `JOURNAL_STREAM` is inherited by everything below a unit, a desktop's terminals too: it holds only when it
 * names this very stderr by device and inode (systemd.exec(5)).
 */
function goesToJournal(journalStream: string | undefined): boolean {
  if (journalStream === undefined || journalStream === '') return false
  const { dev, ino } = fstatSync(2, { bigint: true })
  return journalStream === `${dev}:${ino}`
}

function openFile(stateDirectory: string): RotatingFile {
  const folder = join(stateDirectory, 'logs')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return new RotatingFile({
    path: join(folder, 'daemon.log'),
    maxBytes: FILE_MAX_BYTES,
    maxFiles: MAX_FILES,
    onError: reportFailure,
  })
}

function createTransports(parts: {
  file: RotatingFile | null
  isJournal: boolean
  hasStderr: boolean
  redact: (text: string) => string
}): winston.transports.StreamTransportInstance[] {
  const transports = []
  if (parts.file !== null) transports.push(new winston.transports.Stream({ stream: parts.file, eol: '\n' }))
  if (parts.hasStderr) {
    // A terminal that went away must not end the daemon: the lines are in the file.
    process.stderr.on('error', () => undefined)
    const toLine = parts.isJournal ? toJournalLine : toHumanLine
    const format = lineFormat((entry) => parts.redact(toLine(entry)))
    transports.push(new winston.transports.Stream({ stream: process.stderr, eol: '\n', format }))
  }
  return transports
}

function lineFormat(toLine: (entry: LogEntry) => string): winston.Logform.Format {
  return winston.format((info) => Object.assign(info, { [LINE]: toLine(info as unknown as LogEntry) }))()
}

function toDaemonLog(write: (level: LogLevel, message: string, fields: LogFields) => void): DaemonLog {
  return {
    debug: (message, fields = {}) => write('debug', message, fields),
    info: (message, fields = {}) => write('info', message, fields),
    warn: (message, fields = {}) => write('warn', message, fields),
    error: (message, fields = {}) => write('error', message, fields),
  }
}

async function finish(logger: winston.Logger): Promise<void> {
  // The logger's own 'finish' comes before its transports have written.
  const finished = logger.transports.map(
    (transport) => new Promise((resolve) => transport.once('finish', resolve)),
  )
  logger.end()
  await Promise.all(finished)
}

function writeLate(entry: LogEntry, file: RotatingFile | null, redact: (text: string) => string): void {
  try {
    if (file === null) process.stderr.write(`${redact(toJournalLine(entry))}\n`)
    else appendFileSync(file.path, `${redact(toJsonLine(entry))}\n`, { mode: 0o600 })
  } catch (error) {
    reportFailure(error)
  }
}

/** Where else could it be said that the log cannot be written. */
function reportFailure(error: unknown): void {
  process.stderr.write(`Cannot write the daemon's log: ${escapeControl(messageOf(error))}\n`)
}
