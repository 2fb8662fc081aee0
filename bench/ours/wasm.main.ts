/** A pinned process: a plugin in WebAssembly under the runner's own loader, from a request's bytes to its answer's. */
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import { Call } from '../../sandbox-runner/call.ts'
import type { BytesOperation } from '../../sandbox-runner/loaded-plugin.ts'
import type { PluginEnvironment } from '../../sandbox-runner/plugin-environment.ts'
import { toRunnerError } from '../../sandbox-runner/runner-error.ts'
import { loadWasmPlugin } from '../../sandbox-runner/wasm/load-plugin.ts'
import { measureLatency } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import type { WasmQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'

const START: RunnerParams['initialize'] = {
  protocol_version: '1.2',
  plugin_id: 'wasm_echo',
  plugin_version: '1.0.0',
  metadata: { id: 'wasm_echo', name: 'Echo', version: '1.0.0', description: '', author: '' },
  generation: 1,
  execution_id_prefix: '0f6b3a91c2-',
  entry: new URL('../plugins/wasm-echo/plugin.wasm', import.meta.url).pathname,
  workspace: '/',
  data_dir: '/',
  config: {},
  log_level: 'info',
  eval: false,
  observe: false,
  threads: 0,
  operations: [{ name: 'echo', input_validator: null, input_schema: null }],
  max_payload_bytes: 256 * 1024 * 1024,
}

/** As the runner's reader of lines hands it out: one object, again and again. */
const params = Object.freeze({ operation: 'echo', timeout_ms: 30_000 })

let operation: BytesOperation
let nextId = 1

serveQuestions<WasmQuestions>({
  start: async () => {
    const startedMs = performance.now()
    const plugin = loadWasmPlugin(START, {
      log: () => {},
      denied: () => {},
      unheard: (run) => run(),
      createInputCheck: () => null,
      refuseStart: (message) => new Error(message),
      sendMessage: () => Promise.reject(new Error('nobody is there')),
      toRunnerError,
    })
    await plugin.start({} as PluginEnvironment, START)
    const loadMs = performance.now() - startedMs
    operation = plugin.operations.get('echo') as BytesOperation
    return { loadMs }
  },
  latency: async ({ payloadBytes, slot }) => {
    const { bytes } = recordsPayload(payloadBytes)
    const answer = await echo(bytes)
    if (answer.error !== null || answer.payload?.equals(bytes) !== true) throw new Error('it does not echo')
    return await measureLatency(async () => echo(bytes), slot)
  },
  close: async () => null,
})

function echo(payload: Buffer): ReturnType<BytesOperation['run']> {
  const id = nextId++
  const call = new Call(id, params, {} as PluginEnvironment, () => {})
  return operation.run({ id, method: 'execute', params, payload }, call)
}
