/** A pinned process: a plugin in Rust, and the same program with nothing around it. */
import fs from 'node:fs'
import path from 'node:path'
import type { PluginSystemApi } from '@phantom-ml/core'
import { launchBareRust } from '../floors/bare-rust.ts'
import { measureLatency } from '../harness/measure.ts'
import { recordsPayload } from '../harness/payload.ts'
import { privateBytes } from '../harness/process-memory.ts'
import type { NativeQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { coldStart } from './cold-start.ts'
import { installPlugins } from './install-plugins.ts'
import { openSystem, pluginDirectory } from './open-system.ts'

const ID = 'rust_echo'

let system: PluginSystemApi
let program: string

serveQuestions<NativeQuestions>({
  start: async (params) => {
    program = params.program
    const folder = process.cwd()
    system = await openSystem(folder)
    installPlugins(pluginDirectory(folder), { [ID]: 'rust-echo' })
    fs.copyFileSync(program, path.join(pluginDirectory(folder), ID, 'main'))
    await system.load_plugin(ID)
    return { tier: (await system.get_status()).tier }
  },
  launch: async ({ subject }) => {
    if (subject === 'ours') return await coldStart(system, process.cwd(), ID)
    const { child, readyMs } = await launchBareRust(program)
    const pid = child.pid ?? 0
    child.kill('SIGKILL')
    return { pid, readyMs }
  },
  idleMemory: ({ pids }) => Promise.resolve({ privateBytes: pids.map(privateBytes) }),
  latency: ({ subject, slot }) => {
    const id = subject === 'ours' ? ID : 'echo'
    const { value } = recordsPayload(100)
    return measureLatency(() => system.execute_plugin(id, 'echo', value), slot)
  },
  close: async () => {
    await system.shutdown()
    return null
  },
})
