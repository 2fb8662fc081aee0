// Asks the built module as the daemon does: a frame in, a frame out (docs/wasm-abi.md). Nothing is granted here.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const nothing = () => 0
const module = new WebAssembly.Module(readFileSync(new URL('plugin.wasm', import.meta.url)))
const imports = { 'phantom:host/v1': { call: () => 0n } }
for (const { module: from, name } of WebAssembly.Module.imports(module))
  (imports[from] ??= {})[name] ??= nothing
const plugin = new WebAssembly.Instance(module, imports).exports
plugin._initialize?.()

function ask(method, params, input) {
  const payload = input === undefined ? '' : JSON.stringify(input)
  const more = payload === '' ? {} : { payload_bytes: Buffer.byteLength(payload) }
  const frame = Buffer.from(
    `${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params, ...more })}\n${payload}`,
  )
  const address = plugin.phantom_alloc(frame.length)
  Buffer.from(plugin.memory.buffer).set(frame, address)
  const range = plugin.phantom_handle(address, frame.length)
  const start = Number(range >> 32n)
  const answer = Buffer.from(plugin.memory.buffer).toString(
    'utf8',
    start,
    start + Number(range & 0xffffffffn),
  )
  const [line, ...behind] = answer.split('\n')
  const { error } = JSON.parse(line)
  if (error !== undefined) throw new Error(error.message)
  return behind[0] === '' ? null : JSON.parse(behind.join('\n'))
}

ask('initialize', { protocol_version: '1.1', config: {}, operations: [], metadata: {}, log_level: 'info' })

test('greets by name', () => {
  assert.deepEqual(ask('execute', { operation: 'greet', timeout_ms: 1000 }, { name: 'Ada' }), {
    message: 'Hello, Ada!',
  })
})
