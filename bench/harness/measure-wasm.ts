import path from 'node:path'
import type { Findings } from './findings.ts'
import { startPinned } from './pinned-process.ts'
import type { WasmQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const SLOT = { warmUpMs: 300, measureMs: 700, minCalls: 50 }
const QUICK_SLOT = { warmUpMs: 20, measureMs: 50, minCalls: 5 }
const PAYLOADS = [
  ['100b', 100],
  ['64kb', 64 * 1024],
] as const
/** Each in a fresh process of its own, in every round: what a process loads first is what a start costs. */
const SUBJECTS = [
  ['ours', new URL('../ours/wasm.main.ts', import.meta.url)],
  ['extism', new URL('../peers/extism.main.ts', import.meta.url)],
  ['extism-worker', new URL('../peers/extism.main.ts', import.meta.url)],
] as const

/** An echo in WebAssembly, called inside one process: by our loader, and by Extism's. */
export async function measureWasm(setting: Setting, findings: Findings): Promise<void> {
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  setting.tell(`wasm: ${setting.rounds} rounds`)
  for (let round = 1; round <= setting.rounds; round += 1) {
    for (const [subject, entry] of SUBJECTS) {
      const folder = path.join(setting.folder, `wasm-${subject}-${round}`)
      const process = startPinned<WasmQuestions>(entry, subject, { core: setting.core, folder })
      await findings.attempt(subject, round, async () => {
        findings.add(subject, 'wasm_load_ms', round, (await process.ask('start', null)).loadMs)
        for (const [name, payloadBytes] of PAYLOADS) {
          const { p50, p99 } = await process.ask('latency', { payloadBytes, slot })
          findings.add(subject, `wasm_${name}_p50_us`, round, p50)
          findings.add(subject, `wasm_${name}_p99_us`, round, p99)
        }
      })
      await process.close()
    }
  }
}
