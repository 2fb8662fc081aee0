import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { recordsPayload } from '../harness/payload.ts'

const ECHO_ENTRY = new URL('raw-echo.main.ts', import.meta.url).pathname

/** The floor of a call beside trouble: 100 bytes to one bare Node process and back, over a socketpair. */
export interface BarePair {
  readonly process: ChildProcess
  pingPong(): Promise<void>
}

export async function openBarePair(): Promise<BarePair> {
  const { bytes } = recordsPayload(100)
  const echo = spawn(process.execPath, [ECHO_ENTRY], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
  const socket = echo.stdio[3] as Socket
  const pingPong = async (): Promise<void> => {
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
  await pingPong()
  return { process: echo, pingPong }
}
