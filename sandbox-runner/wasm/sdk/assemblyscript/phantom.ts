/**
 * What the author of a plugin in AssemblyScript imports: operations, hooks, answers, and what the host does for a
 * call. The entry file says `export * from './phantom/exports'` beside it; then its exports are those of
 * "phantom-wasm v1".
 */
import { PluginError } from './host'
import { Json } from './json'
import { JsonReader } from './json-reader'

export { Json, JsonKind } from './json'
export {
  environment,
  fetch,
  HostAnswer,
  isCancelled,
  log,
  PluginError,
  progress,
  readFile,
  remainingMs,
  Response,
  sendMessage,
  sleep,
  writeFile,
  writeText,
} from './host'

/** What a call ends with. */
@final
export class Answer {
  /** The JSON text of the result lies there while the answer is written; or it is `value`. */
  pointer: usize = 0
  length: usize = 0

  constructor(
    readonly value: Json,
    readonly error: PluginError | null,
  ) {}
}

/** The one of the call that runs: it gives the collector nothing to do. */
const byBytes = new Answer(Json.none(), null)

/** A result. */
export function ok(value: Json = Json.none()): Answer {
  return new Answer(value, null)
}

/** A result that is JSON text already, handed on without a look. */
export function okBytes(bytes: Bytes): Answer {
  byBytes.pointer = bytes.pointer
  byBytes.length = bytes.length
  return byBytes
}

/** A failure in the plugin's own words: the caller gets a result with `success: false`. */
export function failure(message: string): Answer {
  return new Answer(Json.none(), PluginError.fault(message))
}

/** A failure as the host, or anybody else, named it. */
export function fail(error: PluginError): Answer {
  return new Answer(Json.none(), error)
}

/** The input as it came; it is there until the operation returns. */
@final
export class Bytes {
  constructor(
    public pointer: usize,
    public length: usize,
  ) {}

  get text(): string {
    return String.UTF8.decodeUnsafe(this.pointer, this.length)
  }

  copy(): Uint8Array {
    const bytes = new Uint8Array(<i32>this.length)
    memory.copy(bytes.dataStart, this.pointer, this.length)
    return bytes
  }
}

/** What a plugin knows about itself, from `initialize` to `shutdown`. */
@final
export class Context {
  pluginId: string = ''
  pluginVersion: string = ''
  generation: i32 = 0
  workspace: string = ''
  dataDir: string = ''
  /** The newest one: another value after each `configure`. */
  config: Json = Json.none()
  /** `id`, `name`, `version`, `description` and `author`, as plugin.toml says them. */
  metadata: Json = Json.none()
  /** What the generation before exported; null's value where there was none, and after `initialize`. */
  previousState: Json = Json.none()
  /** These two are the dispatcher's. */
  executionIdPrefix: string = ''
  requestId: u64 = 0

  /** Of the call that runs. */
  get executionId(): string {
    return this.executionIdPrefix + this.requestId.toString(36)
  }
}

/** The one of this plugin. */
export const context = new Context()

type JsonOperation = (input: Json) => Answer
type BytesOperation = (input: Bytes) => Answer

/** The operations by name; each is one of two kinds. */
export class Operations {
  static readonly json: Map<string, JsonOperation> = new Map()
  static readonly bytes: Map<string, BytesOperation> = new Map()

  static has(name: string): bool {
    return Operations.json.has(name) || Operations.bytes.has(name)
  }

  private static lastName: string = ''
  static last: BytesOperation | null = null

  static run(name: string, input: Bytes): Answer {
    // Calls of one operation mostly follow each other, by the same text.
    const last = Operations.last
    if (last !== null && changetype<usize>(name) == changetype<usize>(Operations.lastName)) return last(input)
    if (Operations.bytes.has(name)) {
      const run = Operations.bytes.get(name)
      Operations.last = run
      Operations.lastName = name
      return run(input)
    }
    if (!Operations.json.has(name)) {
      return fail(new PluginError('operation_not_found', 'Cannot run "' + name + '": there is no such operation'))
    }
    const reader = new JsonReader(input.pointer, input.length)
    const value = input.length == 0 ? Json.none() : reader.read()
    if (reader.failure.length > 0) {
      return fail(new PluginError('input_invalid', 'Cannot read the input: it is no JSON, ' + reader.failure))
    }
    return Operations.json.get(name)(value)
  }
}

/** What another plugin wrote to this one, or an application. */
@final
export class Message {
  constructor(
    readonly id: string,
    readonly type: string,
    /** The plugin that sent it: its host says so. The name that an application gave where `isOfApplication`. */
    readonly sender: string,
    readonly isOfApplication: bool,
    readonly payload: Json,
  ) {}
}

type MessageHandler = (message: Message) => PluginError | null

/** The handlers by type. */
export class Messages {
  static readonly handlers: Map<string, MessageHandler> = new Map()

  static deliver(params: Json, payload: Bytes): Answer {
    const type = params.get('type').toText()
    if (!Messages.handlers.has(type)) {
      return fail(new PluginError('operation_not_found', 'Cannot take "' + type + '": there is no such message'))
    }
    const reader = new JsonReader(payload.pointer, payload.length)
    const value = payload.length == 0 ? Json.none() : reader.read()
    if (reader.failure.length > 0) {
      return fail(new PluginError('input_invalid', 'Cannot read the message: it is no JSON, ' + reader.failure))
    }
    const isOfApplication = params.get('origin').toText() != 'plugin'
    const id = params.get('message_id').toText()
    const message = new Message(id, type, params.get('sender').toText(), isOfApplication, value)
    const error = Messages.handlers.get(type)(message)
    return error === null ? ok() : fail(error)
  }
}

/** Registers what takes messages of a type. An error is a line of the plugin's log, nothing more. */
export function onMessage(type: string, take: MessageHandler): void {
  Messages.handlers.set(type, take)
}

/** Registers an operation that reads its input as JSON. */
export function operation(name: string, run: JsonOperation): void {
  Operations.json.set(name, run)
}

/** Registers an operation that gets the input's bytes; empty for a call without input. */
export function bytesOperation(name: string, run: BytesOperation): void {
  Operations.bytes.set(name, run)
  Operations.last = null
}

/** The plugin's hooks; each is optional. Where one answers a `PluginError`, null means that all went well. */
export class Hooks {
  static initialize: (() => PluginError | null) | null = null
  /** The words of a veto, or null. Asked before `initialize`, and before each change of the configuration. */
  static validateConfig: ((config: Json) => string | null) | null = null
  static configure: ((config: Json) => PluginError | null) | null = null
  static quiesce: (() => PluginError | null) | null = null
  static resume: (() => PluginError | null) | null = null
  static exportState: (() => Json) | null = null
  static health: (() => Json) | null = null
  static shutdown: (() => PluginError | null) | null = null
  static metadata: (() => Json) | null = null
  static capabilities: (() => Json) | null = null
}
