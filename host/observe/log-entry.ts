import type { LogLevel } from '../../src/contract/execution.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { escapeControl, escapeControlInJson } from './escape-control.ts'

/** What sd-daemon(3) reads at the head of a line: the severities of syslog. */
const JOURNAL_PRIORITY = { error: 3, warn: 4, info: 6, debug: 7 } as const satisfies Record<LogLevel, number>

/** Facts beside the message. An Error among them is written with its stack and causes. */
export type LogFields = Readonly<Record<string, unknown>>

/** One line of the daemon's log; what stands in `fields` may be anything. */
export interface LogEntry {
  readonly time: string
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** For machines. A field named like one of the three of every line loses to it. */
export function toJsonLine({ time, level, message, fields }: LogEntry): string {
  const base = { time, level, message }
  const others = Object.entries(fields)
    .filter(([key]) => !Object.hasOwn(base, key))
    .map(([key, value]) => `,${JSON.stringify(key)}:${toJson(value)}`)
  return escapeControlInJson(`${JSON.stringify(base).slice(0, -1)}${others.join('')}}`)
}

/** For people: an error is its message alone; the stack stands in the file. */
export function toHumanLine({ time, level, message, fields }: LogEntry): string {
  const pairs = toPairs(fields, (value) =>
    value instanceof Error ? JSON.stringify(messageOf(value)) : toJson(value),
  )
  return escapeControl(`${time} ${level.padEnd(5)} ${message}${pairs}`)
}

/** For the journal, which adds the time itself. */
export function toJournalLine({ level, message, fields }: LogEntry): string {
  return `<${JOURNAL_PRIORITY[level]}>${escapeControl(`${message}${toPairs(fields, toJson)}`)}`
}

function toPairs(fields: LogFields, show: (value: unknown) => string): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : show(value)}`)
    .join('')
}

/** JSON of anything: errors with stack and cause, big integers as text, and a word for what cannot be shown. */
function toJson(value: unknown): string {
  try {
    const json: unknown = JSON.stringify(value, (_key, inner: unknown) => {
      if (inner instanceof Error) return errorFacts(inner)
      return typeof inner === 'bigint' ? String(inner) : inner
    })
    return typeof json === 'string' ? json : 'null'
  } catch (error) {
    return JSON.stringify(`a value that cannot be shown: ${messageOf(error)}`)
  }
}

function errorFacts(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const code = 'code' in error ? { code: error.code } : {}
  const details = 'details' in error ? { details: error.details } : {}
  return { name, message, ...code, ...details, stack, ...(cause === undefined ? {} : { cause }) }
}
