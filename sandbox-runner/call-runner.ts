import { unreadableInput } from '../src/contract/input/input-check.ts'
import { messageOf, type WireError } from '../src/contract/phantom-error.ts'
import { quoteText } from '../src/contract/quote-text.ts'
import { nearestName } from '../src/contract/manifest/nearest-name.ts'
import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type { Connection, IncomingRequest, Payload, RequestId } from '../src/rpc/connection.ts'
import { RequestTable } from '../src/rpc/request-table.ts'
import { parseHostileJson, toJsonText } from '../src/rpc/hostile-json.ts'
import { Call } from './call.ts'
import { MessageCall } from './message-call.ts'
import { nonJsonKind } from './json-report.ts'
import type { SendProgress } from './progress-throttle.ts'
import type { BytesAnswer, BytesOperation, LoadedOperation, LoadedPlugin } from './loaded-plugin.ts'
import type { PluginEnvironment } from './plugin-environment.ts'
import type { LogSender } from './plugin-log.ts'
import { readText, runnerError, tooLarge, toRunnerError } from './runner-error.ts'
import type { PermissionWatch } from './watch-permissions.ts'

/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3
const MAX_STACK_CHARS = 4096

export interface CallRunnerOptions {
  readonly connection: Connection
  readonly plugin: LoadedPlugin
  readonly environment: PluginEnvironment
  readonly log: LogSender
  readonly maxPayloadBytes: number
  readonly permissions: PermissionWatch
}

/**
 * Runs operations and answers. The hot path: an operation that returns no promise is answered in the turn its
 * request came in, without a timer, a promise or an AbortController.
 */
export class CallRunner {
  readonly #options: CallRunnerOptions
  readonly #running = new RequestTable<Call>()
  readonly #sendProgress: SendProgress

  constructor(options: CallRunnerOptions) {
    this.#options = options
    this.#sendProgress = (progress) => options.connection.notify('progress', progress)
  }

  execute(request: IncomingRequest): void {
    const params = request.params as RunnerParams['execute']
    this.#options.permissions.forget()
    const { plugin } = this.#options
    const operation = plugin.operations.get(params.operation) ?? plugin.anyOperation
    if (operation === null) {
      this.#answerError(request.id, unknownOperation(params.operation, plugin))
      return
    }
    const call = new Call(request.id, params, this.#options.environment, this.#sendProgress)
    this.#running.set(request.id, call)
    this.#run(request, operation, call)
  }

  message(request: IncomingRequest): void {
    const params = request.params as RunnerParams['message']
    const { plugin, environment, permissions } = this.#options
    permissions.forget()
    const handler = plugin.messages.get(params.type)
    if (handler === undefined) {
      const words = `Cannot take ${quoteText(params.type)}: the plugin has no such message`
      this.#answerError(request.id, runnerError('operation_not_found', words))
      return
    }
    const call = new MessageCall(request.id, params, environment)
    this.#running.set(request.id, call)
    this.#run(request, handler, call)
  }

  cancel(id: RequestId): void {
    this.#running.get(id)?.abort()
  }

  abortAll(): void {
    for (const call of this.#running.values()) call.abort()
  }

  #run(request: IncomingRequest, operation: LoadedOperation, call: Call): void {
    if (operation.takes === 'bytes') {
      this.#runOnBytes(request, operation, call)
      return
    }
    const input = readInput(request, operation)
    if (input.error !== null) {
      this.#finish(request.id, call, null, input.error)
      return
    }
    try {
      const returned = operation.run(input.value, call)
      if (!isThenable(returned)) {
        this.#returned(request.id, call, returned)
        return
      }
      void Promise.resolve(returned).then(
        (value) => this.#returned(request.id, call, value),
        (error: unknown) => this.#threw(request.id, call, error),
      )
    } catch (error) {
      this.#threw(request.id, call, error)
    }
  }

  /** Where there is a schema the input is read to be checked, and passed on as it came. */
  #runOnBytes(request: IncomingRequest, operation: BytesOperation, call: Call): void {
    const input = operation.checkInput === null ? UNREAD : readInput(request, operation)
    if (input.error !== null) {
      this.#finish(request.id, call, null, input.error)
      return
    }
    const answer = operation.run(request, call)
    if (answer instanceof Promise) void answer.then((late) => this.#answered(request.id, call, late))
    else this.#answered(request.id, call, answer)
  }

  #answered(id: RequestId, call: Call, answer: BytesAnswer): void {
    if (answer.error === null) this.#finish(id, call, answer.payload, null)
    else this.#finish(id, call, null, answer.error)
  }

  #returned(id: RequestId, call: Call, value: unknown): void {
    const output = writeOutput(value, this.#options.maxPayloadBytes)
    if (typeof output === 'string') this.#finish(id, call, output, null)
    else this.#finish(id, call, null, output)
  }

  #threw(id: RequestId, call: Call, thrown: unknown): void {
    if (call.isAbort(thrown)) {
      this.#finish(
        id,
        call,
        null,
        runnerError('cancelled', 'The operation ended because its call was cancelled'),
      )
      return
    }
    if (this.#options.log.isSent('debug')) {
      const stack = readText(thrown, 'stack', MAX_STACK_CHARS)
      if (stack !== null) this.#options.log.send('debug', stack, call.execution_id)
    }
    this.#finish(id, call, null, toRunnerError(thrown))
  }

  #finish(id: RequestId, call: Call, payload: Payload, error: WireError | null): void {
    call.end()
    this.#running.delete(id)
    if (error === null) this.#options.connection.respond(id, null, payload)
    else this.#answerError(id, error)
  }

  #answerError(id: RequestId, error: WireError): void {
    this.#options.connection.respondWireError(id, error)
  }
}

const UNREAD = { error: null, value: null }

type Input = { readonly error: null; readonly value: unknown } | { readonly error: WireError }

function readInput({ payload }: IncomingRequest, operation: LoadedOperation): Input {
  try {
    const value = payload === null ? null : parseHostileJson(payload.toString('utf8'))
    const problem = operation.checkInput === null ? null : operation.checkInput(value)
    if (problem === null) return { error: null, value }
    return { error: runnerError('input_invalid', problem.message, problem.details) }
  } catch (error) {
    const memory = toRunnerError(error)
    if (memory.data?.name === 'out_of_memory') return { error: memory }
    const { message, details } = unreadableInput(messageOf(error))
    return { error: runnerError('input_invalid', message, details) }
  }
}

/** The result as JSON text, or why it is none. Never throws. */
function writeOutput(value: unknown, maxPayloadBytes: number): string | WireError {
  const kind = nonJsonKind(value)
  if (kind !== null)
    return notJson(`it returned ${kind}. Return what JSON can hold: bytes as a base64 text, for example`)
  try {
    const text = toJsonText(value)
    if (text.length * MAX_BYTES_PER_UNIT > maxPayloadBytes) {
      const measured = Buffer.byteLength(text)
      if (measured > maxPayloadBytes) return tooLarge(`${measured} bytes`, maxPayloadBytes, measured)
    }
    return text
  } catch (error) {
    return outputError(error, maxPayloadBytes)
  }
}

function outputError(error: unknown, maxPayloadBytes: number): WireError {
  // V8 builds no string above 512 MiB (v8::String::kMaxLength); how long it would have been is not known.
  const message = messageOf(error)
  if (message.includes('Invalid string length')) return tooLarge('over 512 MiB', maxPayloadBytes, null)
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const wire = toRunnerError(cause)
  if (wire.data?.name === 'out_of_memory') return wire
  return notJson(`${message}. Return what JSON can hold`)
}

function notJson(problem: string): WireError {
  const message = `Cannot return the result: ${problem}`
  return runnerError('fault', message, { name: 'TypeError', message })
}

function unknownOperation(name: string, plugin: LoadedPlugin): WireError {
  const known = [...plugin.operations.keys()]
  const nearest = nearestName(name, known)
  const remedy = nearest === null ? `It has ${known.join(', ') || 'none'}` : `Did you mean "${nearest}"?`
  return runnerError(
    'operation_not_found',
    `Cannot run ${quoteText(name)}: the plugin has no such operation. ${remedy}`,
    {
      operations: known.slice(0, 256),
      nearest,
    },
  )
}

/** Reading `then` runs plugin code where it is a getter: only inside a try. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  return value instanceof Promise || typeof (value as { then?: unknown }).then === 'function'
}
