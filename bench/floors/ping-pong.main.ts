/**
 * A pinned process, the floor of a call beside trouble: bytes to one bare Node process and back, over a socketpair,
 * beside processes that spin, each in a session of its own as sandboxes are.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { measureLatency } from '../harness/measure.ts'
import { setNice } from '../harness/nice.ts'
import { recordsPayload } from '../harness/payload.ts'
import type { PingPongQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'

const ECHO_ENTRY = new URL('raw-echo.main.ts', import.meta.url).pathname
const SPINNER_ENTRY = new URL('spinner.cjs', import.meta.url).pathname

const { bytes } = recordsPayload(100)
const children: ChildProcess[] = []
let socket: Socket

serveQuestions<PingPongQuestions>({
  start: async ({ niceValues }) => {
    const echo = spawn(process.execPath, [ECHO_ENTRY], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
    children.push(echo)
    socket = echo.stdio[3] as Socket
    await pingPong()
    for (const nice of niceValues) await startSpinner(nice)
    return null
  },
  latency: async ({ slot }) => await measureLatency(pingPong, slot),
  close: async () => {
    for (const child of children) child.kill('SIGKILL')
    return null
  },
})

async function pingPong(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let missing = bytes.length
  const take = (chunk: Buffer): void => {
    missing -= chunk.length
    if (missing === 0) resolve()
  }
  socket.on('data', take)
  socket.write(bytes)
  await promise
  socket.off('data', take)
}

async function startSpinner(nice: number): Promise<void> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const spinner = spawn(process.execPath, [SPINNER_ENTRY], { detached: true, stdio: [...stdio] })
  children.push(spinner)
  await once(spinner.stdout, 'data')
  setNice(spinner.pid ?? 0, nice)
}
