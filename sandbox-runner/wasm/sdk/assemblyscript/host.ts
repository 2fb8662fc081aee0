/**
 * What a plugin may ask of the runner while a call runs: `phantom:host/v1`. Each answers with what came of it; a
 * refusal is an answer too, with a `PluginError` that an operation can hand on as it is: `return fail(file.error!)`.
 */
import { Json } from './json'
import { JsonReader } from './json-reader'
import { JsonWriter } from './json-writer'

@external('phantom:host/v1', 'call')
declare function hostCall(pointer: usize, length: usize): u64

@external('wasi_snapshot_preview1', 'environ_sizes_get')
declare function environ_sizes_get(count: usize, bytes: usize): i32

@external('wasi_snapshot_preview1', 'environ_get')
declare function environ_get(pointers: usize, texts: usize): i32

const MAX_TEXT_CHARS: i32 = 8192
let calls: i32 = 0
const LEVELS = ['debug', 'info', 'warn', 'error']

/** An error of contract Runner: by its name, which has one number. */
@final
export class PluginError {
  constructor(
    readonly name: string,
    readonly message: string,
    readonly details: Json = Json.none(),
  ) {}

  static fault(message: string): PluginError {
    return new PluginError('fault', message)
  }

  get isCancelled(): bool {
    return this.name == 'cancelled'
  }

  get code(): i32 {
    if (this.name == 'input_invalid') return -34002
    if (this.name == 'operation_not_found') return -34003
    if (this.name == 'cancelled') return -34004
    if (this.name == 'out_of_memory') return -34005
    if (this.name == 'payload_too_large') return -34006
    return this.name == 'access_denied' ? -34007 : -34001
  }
}

/** What the host answered: `error` where it refused, else the result and the bytes behind it. */
@final
export class HostAnswer {
  constructor(
    readonly error: PluginError | null,
    readonly result: Json,
    readonly bytes: Uint8Array,
  ) {}

  /** The bytes as text. */
  get text(): string {
    return String.UTF8.decodeUnsafe(this.bytes.dataStart, this.bytes.byteLength)
  }
}

/** The host says so by an empty answer. */
const NO_ROOM = new PluginError('out_of_memory', 'Cannot take the answer of the host: there is no room for it')

@final
export class Response {
  constructor(
    readonly error: PluginError | null,
    readonly status: i32,
    readonly headers: Json,
    readonly bytes: Uint8Array,
  ) {}

  get text(): string {
    return String.UTF8.decodeUnsafe(this.bytes.dataStart, this.bytes.byteLength)
  }
}

export function isCancelled(): bool {
  return call('is_cancelled', Json.object()).result.get('cancelled').toBoolean()
}

/** What is left until the deadline, never below 0; 0 while no call runs. */
export function remainingMs(): f64 {
  return call('remaining_ms', Json.object()).result.get('remaining_ms').toNumber(0)
}

/** Waits; ends early, with the error `cancelled`, when the call is cancelled. */
export function sleep(durationMs: f64): PluginError | null {
  return call('sleep', Json.object().setNumber('duration_ms', durationMs)).error
}

/** Tells the caller how far the call is: a fraction from 0 to 1, NaN where that is not known. */
export function progress(fraction: f64, message: string = ''): void {
  const params = Json.object()
  if (!isNaN(fraction)) params.setNumber('fraction', fraction)
  if (message.length > 0) params.setText('message', message)
  call('progress', params)
}

/** A file that the manifest grants; a relative path means the workspace. */
export function readFile(path: string): HostAnswer {
  return call('read_file', Json.object().setText('path', path))
}

export function writeFile(path: string, bytes: Uint8Array, append: bool = false): PluginError | null {
  const params = Json.object().setText('path', path)
  if (append) params.setBoolean('append', true)
  return call('write_file', params, bytes).error
}

export function writeText(path: string, text: string, append: bool = false): PluginError | null {
  return writeFile(path, Uint8Array.wrap(String.UTF8.encode(text)), append)
}

/** A request to a host that the manifest grants. `options` may have `method`, `headers` and `timeout_ms`. */
export function fetch(
  url: string,
  options: Json = Json.none(),
  body: Uint8Array | null = null,
): Response {
  const params = Json.object().setText('url', url)
  for (let i = 0; i < options.length; i++) params.set(options.keyAt(i), options.at(i))
  const answer = call('fetch', params, body)
  const status = <i32>answer.result.get('status').toNumber(0)
  return new Response(answer.error, status, answer.result.get('headers'), answer.bytes)
}

/**
 * Writes to another plugin, whose `[[messages]]` must take it from this one; `result.get('message_id')` as soon as it
 * waits there. Whether it is ever taken, nobody tells.
 */
export function sendMessage(recipient: string, type: string, payload: Json = Json.none()): HostAnswer {
  const params = Json.object().setText('recipient', recipient).setText('type', type)
  const writer = new JsonWriter(256)
  writer.json(payload)
  const bytes = new Uint8Array(<i32>writer.length)
  memory.copy(bytes.dataStart, writer.pointer, writer.length)
  writer.free()
  return call('send_message', params, bytes)
}

/** A variable that the manifest grants; null where it is not set, or not granted. */
export function environment(name: string): string | null {
  const sizes = heap.alloc(8)
  let found: string | null = null
  if (environ_sizes_get(sizes, sizes + 4) == 0) {
    const count = load<u32>(sizes)
    const pointers = heap.alloc(count * 4 + 4)
    const texts = heap.alloc(load<u32>(sizes, 4) + 4)
    const isRead = environ_get(pointers, texts) == 0
    for (let i: u32 = 0; isRead && i < count; i++) {
      const pair = textAt(load<u32>(pointers + i * 4))
      if (pair.startsWith(name + '=')) found = pair.substring(name.length + 1)
    }
    heap.free(pointers)
    heap.free(texts)
  }
  heap.free(sizes)
  return found
}

function textAt(pointer: usize): string {
  let end = pointer
  while (load<u8>(end) != 0) end += 1
  return String.UTF8.decodeUnsafe(pointer, end - pointer)
}

/** Lines of the plugin's log; less important ones than the configured level are not sent. */
export namespace log {
  let least: i32 = 1

  export function setLevel(level: string): void {
    least = max(0, LEVELS.indexOf(level))
  }

  export function debug(message: string): void {
    write('debug', message)
  }

  export function info(message: string): void {
    write('info', message)
  }

  export function warn(message: string): void {
    write('warn', message)
  }

  export function error(message: string): void {
    write('error', message)
  }

  export function write(level: string, message: string): void {
    if (LEVELS.indexOf(level) < least) return
    call('log', Json.object().setText('level', level).setText('message', message.slice(0, MAX_TEXT_CHARS)))
  }
}

function call(method: string, params: Json, payload: Uint8Array | null = null): HostAnswer {
  const request = new JsonWriter(256)
  request.raw('{"jsonrpc":"2.0","id":')
  request.raw((++calls).toString())
  request.raw(',"method":"')
  request.raw(method)
  request.raw('","params":')
  request.json(params)
  if (payload !== null) {
    request.raw(',"payload_bytes":')
    request.raw(payload.byteLength.toString())
  }
  request.raw('}\n')
  if (payload !== null) request.bytes(payload.dataStart, payload.byteLength)
  const range = hostCall(request.pointer, request.length)
  request.free()
  if (range == 0) return new HostAnswer(NO_ROOM, Json.none(), new Uint8Array(0))
  const pointer = <usize>(range >> 32)
  const answer = readAnswer(pointer, <usize>(range & 0xffffffff))
  heap.free(pointer)
  return answer
}

function readAnswer(pointer: usize, length: usize): HostAnswer {
  const lineLength = lineEnd(pointer, length) - pointer
  const answer = new JsonReader(pointer, lineLength).read()
  const error = answer.get('error')
  if (error.isObject) return new HostAnswer(toPluginError(error), Json.none(), new Uint8Array(0))
  const bytes = new Uint8Array(<i32>answer.get('payload_bytes').toNumber(0))
  if (lineLength + 1 + bytes.byteLength > length) {
    return new HostAnswer(PluginError.fault('the host sent half an answer'), Json.none(), new Uint8Array(0))
  }
  memory.copy(bytes.dataStart, pointer + lineLength + 1, bytes.byteLength)
  return new HostAnswer(null, answer.get('result'), bytes)
}

function toPluginError(error: Json): PluginError {
  const data = error.get('data')
  return new PluginError(data.get('name').toText('fault'), error.get('message').toText(), data.get('details'))
}

/** Where the line of a frame ends: at its newline, or with the frame. */
export function lineEnd(pointer: usize, length: usize): usize {
  const end = pointer + length
  let at = pointer
  while (at < end && load<u8>(at) != 0x0a) at += 1
  return at
}
