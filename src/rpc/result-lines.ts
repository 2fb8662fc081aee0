import type { PluginExecutionResult } from '../contract/execution.ts'
import type { Message } from './frame-decoder.ts'
import { parseHostileJson } from './hostile-json.ts'

/**
 * The answer to `execute_plugin` between our own daemon and client. What differs from call to call stands first, what
 * is mostly the same behind it, so that the client parses that rest once and knows it by its text from then on.
 * Plain JSON-RPC all the same: any parser reads it.
 */
export function writeResultText(result: PluginExecutionResult): string {
  const { execution_id, execution_time_ms, memory_used_bytes, cpu_time_ms } = result
  return (
    `{"execution_id":"${execution_id}","execution_time_ms":${execution_time_ms},` +
    `"memory_used_bytes":${memory_used_bytes},"cpu_time_ms":${cpu_time_ms},${steadyText(result)}`
  )
}

/** Reads such answers; one for each connection. */
export class ResultLines {
  readonly #known = new Map<string, Steady>()

  /** The message, or null for a line of any other shape: the real parser takes that. */
  read(line: string): Message | null {
    const head = HEAD.exec(line)
    if (head === null) return null
    const payloadStart = line.lastIndexOf(PAYLOAD)
    const bytes = payloadStart === -1 ? null : CLOSING_NUMBER.exec(line.slice(payloadStart + PAYLOAD.length))
    if (bytes === null) return null
    const steady = this.#readSteady(`{${line.slice(head[0].length, payloadStart)}`)
    if (steady === null) return null
    return {
      jsonrpc: '2.0',
      id: Number(head[1]),
      result: toResult(steady, head),
      payload_bytes: Number(bytes[1]),
    }
  }

  #readSteady(text: string): Steady | null {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const steady = text.length > MAX_KNOWN_CHARS ? null : parseSteady(text)
    if (steady === null) return null
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(text, steady)
    return steady
  }
}

type Steady = Omit<
  PluginExecutionResult,
  'execution_id' | 'execution_time_ms' | 'memory_used_bytes' | 'cpu_time_ms'
>

const HEAD =
  /^\{"jsonrpc":"2\.0","id":(0|[1-9]\d{0,14}),"result":\{"execution_id":"([\w-]+)","execution_time_ms":((?:0|[1-9]\d*)(?:\.\d+)?),"memory_used_bytes":(0|[1-9]\d*),"cpu_time_ms":((?:0|[1-9]\d*)(?:\.\d+)?),/
const PAYLOAD = ',"payload_bytes":'
const CLOSING_NUMBER = /^(0|[1-9]\d{0,14})\}$/
const MAX_KNOWN = 64
const MAX_KNOWN_CHARS = 1024

/** Texts written before, by what they say; results with warnings, logs, files or an error are each their own. */
const written = new Map<string, string>()

function steadyText(result: PluginExecutionResult): string {
  if (result.error !== null || !hasEmptyLists(result)) return toSteadyText(result)
  const key = `${result.plugin_id} ${result.network_requests} ${result.metadata.figures} ${result.metadata.generation}`
  let text = written.get(key)
  if (text === undefined) {
    if (written.size >= MAX_WRITTEN) written.clear()
    text = toSteadyText(result)
    written.set(key, text)
  }
  return text
}

const MAX_WRITTEN = 4096

function toSteadyText(result: Steady): string {
  return JSON.stringify({
    plugin_id: result.plugin_id,
    success: result.success,
    result: null,
    error: result.error,
    warnings: result.warnings,
    logs: result.logs,
    created_files: result.created_files,
    network_requests: result.network_requests,
    metadata: result.metadata,
  } satisfies Steady).slice(1)
}

/**
 * Null for all but what our own daemon writes: the real parser takes that. Lists and metadata are handed to the
 * application, which may change them: they are made anew for each answer, so they must be what they are copied as.
 */
function parseSteady(text: string): Steady | null {
  try {
    const steady = parseHostileJson(text) as Steady
    if (toSteadyText(steady) !== text.slice(1)) return null
    return hasEmptyLists(steady) && isFlatObject(steady.metadata) ? steady : null
  } catch {
    // It says what is wrong, too.
    return null
  }
}

function hasEmptyLists(steady: Steady): boolean {
  return isEmptyList(steady.warnings) && isEmptyList(steady.logs) && isEmptyList(steady.created_files)
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function isFlatObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((inner) => typeof inner !== 'object' || inner === null)
}

function toResult(steady: Steady, head: RegExpExecArray): PluginExecutionResult {
  return {
    plugin_id: steady.plugin_id,
    execution_id: head[2]!,
    success: steady.success,
    result: null,
    error: steady.error,
    warnings: [],
    logs: [],
    execution_time_ms: Number(head[3]),
    memory_used_bytes: Number(head[4]),
    cpu_time_ms: Number(head[5]),
    created_files: [],
    network_requests: steady.network_requests,
    metadata: { ...steady.metadata },
  }
}
