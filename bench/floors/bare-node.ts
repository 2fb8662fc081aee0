/** Floor: a Node process with nothing in it, no sandbox. Ready is its first byte. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Launcher } from '../harness/design.ts'

const entry = new URL('idle-node.cjs', import.meta.url).pathname

export const launcher: Launcher = {
  async start() {
    const children: ChildProcess[] = []
    return {
      async launch() {
        const start = performance.now()
        const child = spawn(process.execPath, [entry], { stdio: ['ignore', 'pipe', 'inherit'] })
        children.push(child)
        await once(child.stdout, 'data')
        return { pid: child.pid ?? 0, readyMs: performance.now() - start }
      },
      async close() {
        for (const child of children) child.kill('SIGKILL')
      },
    }
  },
}
