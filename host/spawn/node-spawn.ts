import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { NodeInbox } from './node-inbox.ts'
import type { ProcessEnd, ProcessRequest, StartedProcess } from './started-process.ts'

/**
 * By Node, which forks: the page tables of the whole daemon are copied, and it stands still meanwhile.
 *
 * @throws Error with the system's code, or `NO_PROCESS` where the system gave none
 */
export function nodeSpawn(request: ProcessRequest): StartedProcess {
  const { file, args, cwd, env, channels, inherited, passesListener } = request
  const child = spawn(file, args, {
    cwd,
    env: { ...env },
    stdio: [
      'ignore',
      ...Array.from({ length: channels }, () => 'pipe' as const),
      ...inherited,
      ...(passesListener ? (['ipc'] as const) : []),
    ],
  })
  const inbox = passesListener ? new NodeInbox(child) : null
  let end: ProcessEnd | null = null
  const exited = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      inbox?.close()
      resolve((end = { code, signal }))
    })
  })
  // One that could not be started has no pid; one that could not be signalled is gone.
  child.on('error', () => {})
  // Without descriptors for them there are no streams at all, or some of them are missing (seen under EMFILE).
  const streams = ((child.stdio as unknown) ?? []) as (Socket | null | undefined)[]
  const sockets = streams.slice(1, channels + 1).filter((stream) => stream != null)
  if (child.pid === undefined || sockets.length < channels) {
    child.kill('SIGKILL')
    for (const socket of sockets) socket.destroy()
    throw Object.assign(new Error(`the system gave no process for "${file}"`), { code: 'NO_PROCESS' })
  }
  return {
    pid: child.pid,
    channels: sockets,
    takeListener: async (timeoutMs) => (await inbox?.take(timeoutMs)) ?? null,
    exited,
    get hasExited() {
      return end !== null
    },
    kill: (signal) => void child.kill(signal),
  }
}
