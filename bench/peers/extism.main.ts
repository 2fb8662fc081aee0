/**
 * A pinned process: Extism's own JavaScript SDK. argv: `extism` calls in this thread, its fastest way, where nothing can
 * end a plugin that does not return; `extism-worker` in a thread of its own, where its timeouts hold.
 */
import fs from 'node:fs'
import { createPlugin, type Plugin } from '@extism/extism'
import { measureLatency } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import type { WasmQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'

const MODULE = new URL('extism-echo/plugin.wasm', import.meta.url).pathname

let plugin: Plugin

serveQuestions<WasmQuestions>({
  start: async () => {
    const startedMs = performance.now()
    const runInWorker = process.argv[2] === 'extism-worker'
    plugin = await createPlugin(
      { wasm: [{ data: fs.readFileSync(MODULE) }] },
      { useWasi: false, runInWorker },
    )
    return { loadMs: performance.now() - startedMs }
  },
  latency: async ({ payloadBytes, slot }) => {
    const { bytes } = recordsPayload(payloadBytes)
    const echoed = await plugin.call('echo', bytes)
    if (echoed === null || !bytes.equals(echoed.bytes())) throw new Error('it does not echo')
    return await measureLatency(() => plugin.call('echo', bytes), slot)
  },
  close: async () => {
    await plugin.close()
    return null
  },
})
