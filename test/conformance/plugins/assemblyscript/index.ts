/** The conformance plugin in AssemblyScript: what each of its operations does is the same in every language. */
import {
  Answer,
  Bytes,
  bytesOperation,
  context,
  environment,
  fail,
  fetch,
  Hooks,
  isCancelled,
  Json,
  log,
  Message,
  ok,
  okBytes,
  onMessage,
  operation,
  PluginError,
  progress,
  readFile,
  sendMessage,
  sleep,
  writeText,
} from '../../../../sandbox-runner/wasm/sdk/assemblyscript/phantom'

export * from '../../../../sandbox-runner/wasm/sdk/assemblyscript/exports'

let count: i32 = 0
let noted = Json.object().setNumber('count', 0)
let notes: i32 = 0

bytesOperation('echo', (input: Bytes): Answer => okBytes(input))

operation('word_count', (input: Json): Answer => {
  const text = input.get('text').toText()
  let words = 0
  let chars = 0
  let isInWord = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A character outside of the first plane has two units.
    if ((unit & 0xfc00) != 0xdc00) chars++
    const isSpace = unit == 0x20 || (unit >= 0x09 && unit <= 0x0d)
    if (!isSpace && !isInWord) words++
    isInWord = !isSpace
  }
  return ok(Json.object().setNumber('words', words).setNumber('chars', chars))
})

operation('read_file', (input: Json): Answer => {
  const file = readFile(input.get('path').toText())
  if (file.error !== null) return fail(file.error!)
  return ok(Json.object().setText('text', file.text))
})

operation('write_file', (input: Json): Answer => {
  const text = input.get('text').toText()
  const error = writeText(input.get('path').toText(), text)
  if (error !== null) return fail(error)
  return ok(Json.object().setNumber('bytes', String.UTF8.byteLength(text)))
})

operation('fetch_url', (input: Json): Answer => {
  const response = fetch(input.get('url').toText())
  if (response.error !== null) return fail(response.error!)
  return ok(Json.object().setNumber('status', response.status).setText('text', response.text))
})

operation('read_env', (input: Json): Answer => {
  const value = environment(input.get('name').toText())
  return ok(Json.object().set('value', value === null ? Json.none() : Json.string(value)))
})

operation('sleep', (input: Json): Answer => {
  const durationMs = input.get('duration_ms').toNumber(0)
  const error = sleep(durationMs)
  if (error !== null) return fail(error)
  return ok(Json.object().setNumber('slept_ms', durationMs))
})

operation('spin', (_input: Json): Answer => {
  while (true) {
    count += 0
  }
})

operation('grow', (_input: Json): Answer => {
  const held: Uint8Array[] = []
  while (true) held.push(new Uint8Array(65536).fill(1))
})

operation('panic', (input: Json): Answer => {
  throw new Error(input.get('message').toText())
})

operation('log', (input: Json): Answer => {
  log.write(input.get('level').toText(), input.get('message').toText())
  return ok()
})

operation('report_progress', (input: Json): Answer => {
  const steps = input.get('steps').toNumber(0)
  for (let step: f64 = 1; step <= steps; step++) {
    progress(step / steps, 'step ' + (<i64>step).toString() + ' of ' + (<i64>steps).toString())
  }
  return ok(Json.object().setNumber('steps', steps))
})

operation('wait_for_cancel', (_input: Json): Answer => {
  while (!isCancelled()) {
    const error = sleep(10)
    if (error !== null) return fail(error)
  }
  return fail(new PluginError('cancelled', 'the call was cancelled'))
})

operation('count', (_input: Json): Answer => {
  count++
  return ok(Json.object().setNumber('count', count))
})

operation('send', (input: Json): Answer => {
  const recipient = input.get('recipient').toText()
  const sent = sendMessage(recipient, input.get('type').toText(), input.get('payload'))
  if (sent.error !== null) return fail(sent.error!)
  return ok(Json.object().setBoolean('sent', sent.result.get('message_id').toText().length > 0))
})

operation('noted', (_input: Json): Answer => ok(noted))

onMessage('note', (message: Message): PluginError | null => {
  if (message.payload.get('text').toText() == 'unlucky') return PluginError.fault('unlucky is no note')
  notes++
  const last = Json.object().setText('sender', message.sender)
  last.setText('origin', message.isOfApplication ? 'application' : 'plugin').set('payload', message.payload)
  noted = Json.object().setNumber('count', notes).set('last', last)
  return null
})

Hooks.initialize = (): PluginError | null => {
  count = <i32>context.previousState.get('count').toNumber(0)
  return null
}

Hooks.health = (): Json => Json.object().setBoolean('healthy', true)

Hooks.validateConfig = (config: Json): string | null =>
  config.get('depth').toNumber(0) > 10 ? 'depth must be at most 10' : null

Hooks.exportState = (): Json => Json.object().setNumber('count', count)
