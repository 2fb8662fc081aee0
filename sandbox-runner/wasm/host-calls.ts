import { LOG_LEVELS, type LogLevel } from '../../src/contract/execution.ts'
import { messageOf, type WireError } from '../../src/contract/phantom-error.ts'
import type { Call } from '../call.ts'
import { quoted, toFrame, type GuestFrame, type ReadFrame } from './guest-frame.ts'
import { GuestViolation } from './guest-violation.ts'
import { runnerError } from '../runner-error.ts'
import { hostFetch, MAX_TIMER_MS } from './host-fetch.ts'
import { misuse } from './host-call-misuse.ts'
import type { RunnerPowers } from './runner-powers.ts'
import type { LastWords } from './last-words.ts'
import type { Wasi } from './wasi/create-wasi.ts'

/** Cancellation, progress and log lines leave and come when the event loop turns: this often at least. */
const TURN_MS = 10

interface Reply {
  readonly result: unknown
  readonly payload?: Uint8Array | null
}

type Params = Readonly<Record<string, unknown>>
type Method = (params: Params, payload: Buffer | null) => Reply | Promise<Reply>

const DONE: Reply = { result: null }
const NOTHING = new Uint8Array()

/** What a plugin may ask of its host, `phantom:host/v1` of docs/wasm-abi.md, in the name of the call that runs. */
export class HostCalls {
  /** Null while a hook runs. */
  call: Call | null = null
  /** Of the instance that runs. */
  files: Wasi['files'] | null = null
  readonly #powers: RunnerPowers
  readonly #words: LastWords
  readonly #maxPayloadBytes: number
  readonly #methods: ReadonlyMap<unknown, Method>
  #turnedMs = 0

  constructor(powers: RunnerPowers, words: LastWords, maxPayloadBytes: number) {
    this.#powers = powers
    this.#words = words
    this.#maxPayloadBytes = maxPayloadBytes
    this.#methods = new Map<string, Method>([
      ['log', (params) => this.#log(params)],
      ['progress', (params) => this.#progress(params)],
      ['is_cancelled', () => ({ result: { cancelled: this.call?.isAborted ?? false } })],
      ['remaining_ms', () => ({ result: { remaining_ms: this.call?.remaining_ms() ?? null } })],
      ['sleep', (params) => this.#sleep(params)],
      ['read_file', (params) => this.#readFile(params)],
      ['write_file', (params, payload) => this.#writeFile(params, payload)],
      ['fetch', (params, payload) => this.#fetch(params, payload)],
      ['send_message', (params, payload) => this.#sendMessage(params, payload)],
    ])
  }

  /** @throws GuestViolation for what is no request */
  answer({ message, payload }: ReadFrame): GuestFrame | Promise<GuestFrame> {
    const { id, method, params = {} } = message
    const isRequest = message['jsonrpc'] === '2.0' && (typeof id === 'number' || typeof id === 'string')
    if (!isRequest || typeof method !== 'string' || typeof params !== 'object' || params === null) {
      throw new GuestViolation(
        'its host call is no request: expected {"jsonrpc":"2.0","id":number or string,"method":string,"params":{…}}',
      )
    }
    const run = (): GuestFrame | Promise<GuestFrame> =>
      this.#run({ id, method, params: params as Params, payload })
    const nowMs = performance.now()
    if (nowMs - this.#turnedMs < TURN_MS) return run()
    return turn().then(() => {
      this.#turnedMs = performance.now()
      return run()
    })
  }

  /** A call begins: the loop turned when it came. */
  begin(call: Call | null): void {
    this.call = call
    this.#turnedMs = call?.startedMs ?? performance.now()
  }

  /** Rejects where the call that sleeps is cancelled. */
  sleep(durationMs: number): Promise<void> {
    return sleep(durationMs, this.call?.signal ?? null)
  }

  #run(request: {
    id: unknown
    method: string
    params: Params
    payload: Buffer | null
  }): GuestFrame | Promise<GuestFrame> {
    const head = `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)}`
    const failed = (error: unknown): GuestFrame =>
      toFrame(`${head},"error":${JSON.stringify(this.#wireErrorOf(error))}`, null)
    const replied = ({ result, payload = null }: Reply): GuestFrame =>
      toFrame(`${head},"result":${JSON.stringify(result)}`, payload)
    const method = this.#methods.get(request.method)
    if (method === undefined) {
      const known = [...this.#methods.keys()].join(', ')
      return failed(new TypeError(`Cannot call ${quoted(request.method)}: the host has ${known}`))
    }
    try {
      const reply = method(request.params, request.payload)
      return reply instanceof Promise ? reply.then(replied, failed) : replied(reply)
    } catch (error) {
      return failed(error)
    }
  }

  #wireErrorOf(error: unknown): WireError {
    if (this.call?.isAbort(error) === true) {
      return runnerError('cancelled', messageOf(error))
    }
    return this.#powers.toRunnerError(error)
  }

  #log({ level, message }: Params): Reply {
    if (typeof message !== 'string') throw misuse('log', `a message that is text`, message)
    if (!isLogLevel(level)) throw misuse('log', `a level out of ${LOG_LEVELS.join(', ')}`, level)
    if (level === 'error') this.#words.said(message)
    this.#powers.log(level, message, this.call?.execution_id)
    return DONE
  }

  #progress({ fraction = null, message }: Params): Reply {
    if (fraction !== null && typeof fraction !== 'number')
      throw misuse('progress', 'a fraction from 0 to 1 or null', fraction)
    if (message !== undefined && typeof message !== 'string')
      throw misuse('progress', 'a message that is text', message)
    this.call?.progress(fraction, message)
    return DONE
  }

  async #sleep({ duration_ms: durationMs }: Params): Promise<Reply> {
    if (typeof durationMs !== 'number' || !(durationMs >= 0))
      throw misuse('sleep', 'a duration_ms from 0 on', durationMs)
    await this.sleep(durationMs)
    return DONE
  }

  #readFile({ path }: Params): Reply {
    if (typeof path !== 'string') throw misuse('read_file', 'a path that is text', path)
    return { result: null, payload: this.#openFiles().read(path, this.#maxPayloadBytes) }
  }

  #writeFile({ path, append = false }: Params, payload: Buffer | null): Reply {
    if (typeof path !== 'string') throw misuse('write_file', 'a path that is text', path)
    if (typeof append !== 'boolean') throw misuse('write_file', 'an append that is true or false', append)
    this.#openFiles().write(path, payload ?? NOTHING, { append })
    return DONE
  }

  async #sendMessage({ recipient, type }: Params, payload: Buffer | null): Promise<Reply> {
    if (typeof recipient !== 'string') throw misuse('send_message', 'a recipient that is text', recipient)
    if (typeof type !== 'string') throw misuse('send_message', 'a type that is text', type)
    // The guest may use those bytes for something else meanwhile.
    const kept = payload === null ? null : Buffer.from(payload)
    return { result: await this.#powers.sendMessage(recipient, type, kept) }
  }

  #openFiles(): Wasi['files'] {
    if (this.files === null) throw new TypeError('a host call comes out of an instance, which has files')
    return this.files
  }

  #fetch(params: Params, body: Buffer | null): Promise<Reply> {
    const signal = this.call?.signal ?? null
    return hostFetch(params, { body, signal, maxBodyBytes: this.#maxPayloadBytes })
  }
}

function isLogLevel(level: unknown): level is LogLevel {
  return LOG_LEVELS.some((known) => known === level)
}

/** Rejects with the signal's reason. */
function sleep(durationMs: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(ended, Math.min(durationMs, MAX_TIMER_MS))
    signal?.addEventListener('abort', ended)
    if (signal?.aborted === true) ended()
    function ended(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', ended)
      if (signal?.aborted === true) reject(signal.reason as Error)
      else resolve()
    }
  })
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
