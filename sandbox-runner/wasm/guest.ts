import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { Call } from '../call.ts'
import { runnerError } from '../runner-error.ts'
import { endOfGuest } from './end-of-guest.ts'
import { RequestFrames, type ReadFrame } from './guest-frame.ts'
import { GuestInstance } from './guest-instance.ts'
import type { CompiledModule } from './compile-module.ts'
import { readGuestAnswer, type GuestAnswer } from './guest-answer.ts'
import { HostCalls } from './host-calls.ts'
import { LastWords } from './last-words.ts'
import { openSystem } from './open-system.ts'
import { RefusedAccess } from './refused-access.ts'
import type { RunnerPowers } from './runner-powers.ts'
import type { Wasi } from './wasi/create-wasi.ts'

/** From here on the memory of an instance that is gone is collected at once, not when V8 gets to it. */
const COLLECTED_BYTES = 1024 * 1024

const NOTHING: GuestAnswer = { error: null, result: null, payload: null }
const CANCELLED: GuestAnswer = {
  error: runnerError('cancelled', 'The call was cancelled while it waited for the one before it'),
}

export interface GuestRequest {
  readonly id: number
  readonly method: keyof RunnerParams
  readonly params: object
  /** Bytes that may be others when a call had to wait: a request that waits keeps a copy. */
  readonly payload: Uint8Array | null
  /** In whose name it asks its host; null for hooks. */
  readonly call: Call | null
}

/**
 * A plugin's module and the instance of it that lives: one request at a time, the others wait. An instance that
 * trapped or broke the ABI is made anew, with the same start, by the next request.
 */
export class Guest {
  readonly #module: CompiledModule
  readonly #powers: RunnerPowers
  readonly #words = new LastWords()
  readonly #refused = new RefusedAccess()
  readonly #maxPayloadBytes: number
  readonly #host: HostCalls
  #start: RunnerParams['initialize']
  #instance: GuestInstance | null = null
  #system: Wasi | null = null
  #isBusy = false
  #waiting: (() => void)[] = []
  readonly #frames = new RequestFrames()
  #nextHookId = 1

  constructor(module: CompiledModule, start: RunnerParams['initialize'], powers: RunnerPowers) {
    this.#module = module
    this.#powers = powers
    this.#start = start
    this.#maxPayloadBytes = start.max_payload_bytes
    this.#host = new HostCalls(powers, this.#words, start.max_payload_bytes)
  }

  /** Whose instance was made anew starts with this one from then on. */
  set config(config: RunnerParams['initialize']['config']) {
    this.#start = { ...this.#start, config }
  }

  /** Makes the first instance; the plugin's answer to `initialize`. */
  async begin(): Promise<GuestAnswer> {
    return await this.#exclusively(() => this.#renew())
  }

  /** Asks a hook. Its result; an error of the plugin's is thrown as its wire form. */
  async ask(method: keyof RunnerParams, params: object): Promise<GuestAnswer> {
    const id = this.#nextHookId++
    return await this.request({ id, method, params, payload: null, call: null })
  }

  request(request: GuestRequest): GuestAnswer | Promise<GuestAnswer> {
    if (!this.#isBusy) return this.#exclusively(() => this.#serve(request))
    const { payload } = request
    const kept = { ...request, payload: payload === null ? null : Buffer.from(payload) }
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() => {
      if (kept.call?.isAborted === true) return this.#pass(CANCELLED)
      return this.#exclusively(() => this.#serve(kept))
    })
  }

  #exclusively(run: () => GuestAnswer | Promise<GuestAnswer>): GuestAnswer | Promise<GuestAnswer> {
    this.#isBusy = true
    const answer = run()
    if (!(answer instanceof Promise)) return this.#pass(answer)
    return answer.then((late) => this.#pass(late))
  }

  /** The turn goes to who waits longest. */
  #pass(answer: GuestAnswer): GuestAnswer {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isBusy = false
    else next()
    return answer
  }

  #serve(request: GuestRequest): GuestAnswer | Promise<GuestAnswer> {
    if (this.#instance !== null) return this.#run(this.#instance, request)
    // What is gone needs no end.
    return request.method === 'shutdown' ? NOTHING : this.#serveAnew(request)
  }

  async #serveAnew(request: GuestRequest): Promise<GuestAnswer> {
    const started = await this.#renew()
    if (started.error !== null || this.#instance === null) return started
    this.#powers.log('warn', 'The plugin was started anew inside its process, because a call had ended it')
    return this.#run(this.#instance, request)
  }

  async #renew(): Promise<GuestAnswer> {
    this.#words.forget()
    let instance: GuestInstance | null = null
    try {
      this.#system = openSystem(this.#start, {
        powers: this.#powers,
        words: this.#words,
        refused: this.#refused,
        sleep: (durationMs) => this.#host.sleep(durationMs),
      })
      this.#host.files = this.#system.files
      instance = new GuestInstance(this.#module, {
        answerHostCall: (request) => this.#host.answer(request),
        system: this.#system,
        maxPayloadBytes: this.#maxPayloadBytes,
      })
      instance.begin()
    } catch (error) {
      return this.#ended(instance, error)
    }
    this.#instance = instance
    const params = this.#start
    const answer = await this.#run(instance, {
      id: 0,
      method: 'initialize',
      params,
      payload: null,
      call: null,
    })
    if (answer.error !== null) this.#drop(instance)
    return answer
  }

  #run(instance: GuestInstance, request: GuestRequest): GuestAnswer | Promise<GuestAnswer> {
    const { call } = request
    this.#words.forget()
    this.#refused.forget()
    this.#host.begin(call)
    try {
      const answer = instance.handle(this.#frames.frameOf(request))
      if (!(answer instanceof Promise)) return this.#read(answer, request)
      return answer
        .then((late) => this.#read(late, request))
        .catch((error: unknown) => this.#ended(instance, error))
    } catch (error) {
      return this.#ended(instance, error)
    }
  }

  #read(answer: ReadFrame, asked: GuestRequest): GuestAnswer {
    this.#system?.flush()
    const read = readGuestAnswer(answer, asked, this.#maxPayloadBytes)
    return read.error === null ? read : { error: this.#refused.explain(read.error) }
  }

  /** The instance is in no state to go on with. */
  #ended(instance: GuestInstance | null, thrown: unknown): GuestAnswer {
    this.#system?.flush()
    const isMemoryFull = (): boolean => instance?.memory.isFull() ?? false
    const error = this.#refused.explain(endOfGuest({ thrown, words: this.#words, isMemoryFull }))
    this.#drop(instance)
    return { error }
  }

  #drop(instance: GuestInstance | null): void {
    this.#instance = null
    this.#system?.close()
    this.#system = null
    this.#host.files = null
    if (instance === null) return
    const { gc } = globalThis as { gc?: (options: object) => void }
    if (instance.memory.byteLength >= COLLECTED_BYTES) setImmediate(() => gc?.({ type: 'major' }))
  }
}
