/** The exports of "phantom-wasm v1": one frame in, one frame out. Nothing here is for authors. */
import './abort'
import { CallLine, HEAD, LINE_END } from './call-line'
import { lineEnd, log, PluginError } from './host'
import { Json } from './json'
import { JsonReader } from './json-reader'
import { JsonWriter } from './json-writer'
import { Answer, Bytes, context, fail, Hooks, Messages, ok, Operations } from './phantom'

const PROTOCOL_VERSION = '1.2'

export function phantom_abi_version(): i32 {
  return 1
}

export function phantom_alloc(length: usize): usize {
  return heap.alloc(length)
}

export function phantom_free(pointer: usize, length: usize): void {
  heap.free(pointer)
}

export function phantom_handle(pointer: usize, length: usize): u64 {
  const end = pointer + length
  if (call.read(pointer, end)) return writeExecuted(call.id, execute(call.id, call.operation, call.behind, end))
  const line = lineEnd(pointer, length)
  const request = new JsonReader(pointer, line - pointer).read()
  const id = <u64>request.get('id').toNumber(0)
  const method = request.get('method').toText()
  const params = request.get('params')
  const behind = min(line + 1, end)
  if (method == 'message') return writeResult(id, deliver(id, params, behind, end))
  if (method != 'execute') return writeResult(id, answer(method, params))
  return writeExecuted(id, execute(id, params.get('operation').toText(), behind, end))
}

const RESULT = String.UTF8.encode(',"result":null,"payload_bytes":')

const call = new CallLine()
/** Made once: a call of bytes gives the collector nothing to do. */
const input = new Bytes(0, 0)
const frame = new JsonWriter(0)

function execute(id: u64, operation: string, start: usize, end: usize): Answer {
  context.requestId = id
  input.pointer = start
  input.length = end - start
  return Operations.run(operation, input)
}

function deliver(id: u64, params: Json, start: usize, end: usize): Answer {
  context.requestId = id
  input.pointer = start
  input.length = end - start
  return Messages.deliver(params, input)
}

function answer(method: string, params: Json): Answer {
  if (method == 'initialize') return initialize(params)
  if (method == 'health') return reported('health', Hooks.health)
  if (method == 'validate_config') return validateConfig(params.get('config'))
  if (method == 'configure') return configure(params)
  if (method == 'quiesce') return run(Hooks.quiesce)
  if (method == 'resume') return run(Hooks.resume)
  if (method == 'export_state') return reported('state', Hooks.exportState)
  if (method == 'shutdown') return run(Hooks.shutdown)
  return fail(PluginError.fault('Cannot answer "' + method + '": this plugin does not know the method'))
}

function initialize(params: Json): Answer {
  const missing = missingOperations(params.get('operations'))
  if (missing.length > 0) return refusal('plugin.toml declares operations that the code lacks: ' + missing)
  const untaken = missingMessages(params.get('messages'))
  if (untaken.length > 0) return refusal('plugin.toml declares messages that the code lacks: ' + untaken)
  context.pluginId = params.get('plugin_id').toText()
  context.pluginVersion = params.get('plugin_version').toText()
  context.generation = <i32>params.get('generation').toNumber(0)
  context.workspace = params.get('workspace').toText()
  context.dataDir = params.get('data_dir').toText()
  context.config = params.get('config')
  context.metadata = params.get('metadata')
  context.previousState = params.get('previous_state')
  context.executionIdPrefix = params.get('execution_id_prefix').toText()
  log.setLevel(params.get('log_level').toText('info'))
  const veto = vetoOf(context.config)
  if (veto !== null) return refusal('its validate_config() refused the configuration: ' + veto)
  const error = run(Hooks.initialize).error
  if (error !== null) return fail(error)
  context.previousState = Json.none()
  const result = description(params.get('operations'))
  const messages = Json.array()
  pushNames(messages, Messages.handlers.keys())
  if (messages.length > 0) result.set('messages', messages)
  return ok(result)
}

/** A start that would fail in the same way again: nothing is gained by another attempt. */
function refusal(message: string): Answer {
  return fail(new PluginError('fault', message, Json.object().setBoolean('deterministic', true)))
}

function missingOperations(declared: Json): string {
  const missing: string[] = []
  for (let i = 0; i < declared.length; i++) {
    const name = declared.at(i).get('name').toText()
    if (!Operations.has(name)) missing.push('"' + name + '"')
  }
  return missing.join(', ')
}

function missingMessages(declared: Json): string {
  const missing: string[] = []
  for (let i = 0; i < declared.length; i++) {
    const type = declared.at(i).get('name').toText()
    if (!Messages.handlers.has(type)) missing.push('"' + type + '"')
  }
  return missing.join(', ')
}

/** The operations that may be called are those that the manifest declares, or all, where it declares none. */
function description(declared: Json): Json {
  const operations = Json.array()
  if (declared.length > 0) {
    for (let i = 0; i < declared.length; i++) operations.push(declared.at(i).get('name'))
  } else {
    pushNames(operations, Operations.json.keys())
    pushNames(operations, Operations.bytes.keys())
  }
  const hooks = Json.array()
  if (Hooks.health !== null) hooks.push(Json.string('health'))
  if (Hooks.validateConfig !== null) hooks.push(Json.string('validate_config'))
  if (Hooks.configure !== null) hooks.push(Json.string('configure'))
  if (Hooks.quiesce !== null) hooks.push(Json.string('quiesce'))
  if (Hooks.resume !== null) hooks.push(Json.string('resume'))
  if (Hooks.exportState !== null) hooks.push(Json.string('export_state'))
  const result = Json.object().setText('protocol_version', PROTOCOL_VERSION)
  result.set('operations', operations).set('hooks', hooks)
  const metadata = Hooks.metadata
  if (metadata !== null) result.set('metadata', metadata())
  const capabilities = Hooks.capabilities
  if (capabilities !== null) result.set('capabilities', capabilities())
  return result
}

function pushNames(array: Json, names: string[]): void {
  for (let i = 0; i < names.length; i++) array.push(Json.string(names[i]))
}

function reported(name: string, hook: (() => Json) | null): Answer {
  if (hook === null) return ok(name == 'health' ? Json.object().set(name, Json.none()) : Json.object())
  return ok(Json.object().set(name, hook()))
}

function validateConfig(config: Json): Answer {
  const veto = vetoOf(config)
  return ok(Json.object().set('veto', veto === null ? Json.none() : Json.string(veto)))
}

function vetoOf(config: Json): string | null {
  const hook = Hooks.validateConfig
  return hook === null ? null : hook(config)
}

function configure(params: Json): Answer {
  log.setLevel(params.get('log_level').toText('info'))
  const hook = Hooks.configure
  if (hook !== null) {
    const error = hook(params.get('config'))
    if (error !== null) return fail(error)
    context.config = params.get('config')
  }
  return ok(Json.object().setBoolean('applied', hook !== null))
}

function run(hook: (() => PluginError | null) | null): Answer {
  if (hook === null) return ok()
  const error = hook()
  return error === null ? ok() : fail(error)
}

function writeResult(id: u64, answer: Answer): u64 {
  if (answer.error !== null) return writeError(id, answer.error!)
  const writer = begin(id, 256)
  writer.raw(',"result":')
  writer.json(answer.value)
  writer.raw('}\n')
  return writer.take()
}

/** The result of a call travels behind the line. */
function writeExecuted(id: u64, answer: Answer): u64 {
  if (answer.error !== null) return writeError(id, answer.error!)
  if (answer.length > 0) return writePayload(id, answer.pointer, answer.length)
  const payload = new JsonWriter(256)
  payload.json(answer.value)
  const range = writePayload(id, payload.pointer, payload.length)
  payload.free()
  return range
}

function writePayload(id: u64, pointer: usize, length: usize): u64 {
  const writer = begin(id, length + 96)
  writer.buffer(RESULT)
  writer.digits(length)
  writer.buffer(LINE_END)
  writer.bytes(pointer, length)
  return writer.take()
}

function writeError(id: u64, error: PluginError): u64 {
  const writer = begin(id, 256)
  const data = Json.object().setText('name', error.name)
  if (error.details.isObject) data.set('details', error.details)
  const json = Json.object().setNumber('code', error.code).setText('message', error.message).set('data', data)
  writer.raw(',"error":')
  writer.json(json)
  writer.raw('}\n')
  return writer.take()
}

function begin(id: u64, capacity: usize): JsonWriter {
  frame.restart(capacity)
  frame.buffer(HEAD)
  frame.digits(id)
  return frame
}
