/** A pinned process: starts processes of one kind. argv: the launcher's name. */
import type { Launcher, LauncherName, RunningLauncher } from './design.ts'
import { assertIsNode, privateBytes } from './process-memory.ts'
import type { LauncherQuestions } from './questions.ts'
import { serveQuestions } from './serve-questions.ts'

const LAUNCHERS: Record<LauncherName, () => Promise<{ launcher: Launcher }>> = {
  'bare-node': () => import('../floors/bare-node.ts'),
  ours: () => import('../ours/launcher.ts'),
  wasm: () => import('../ours/wasm-launcher.ts'),
}

let running: RunningLauncher | undefined
const pids: number[] = []

serveQuestions<LauncherQuestions>({
  start: async () => {
    const { launcher } = await LAUNCHERS[process.argv[2] as LauncherName]()
    running = await launcher.start(process.cwd())
    return null
  },
  launch: async () => {
    if (running === undefined) throw new Error('Cannot launch: the launcher was not started')
    const { pid, readyMs } = await running.launch()
    assertIsNode(pid)
    pids.push(pid)
    return { readyMs }
  },
  idleMemory: async () => ({ privateBytes: pids.map(privateBytes) }),
  close: async () => {
    await running?.close()
    return null
  },
})
