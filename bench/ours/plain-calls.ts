import { once } from 'node:events'
import net from 'node:net'
import { readLines, writeLineBatched } from '../floors/json-lines.ts'

export interface PlainAnswer {
  /** What the operation returned; undefined where the call failed. */
  readonly result: unknown
  /** Why it failed; null where it did not. */
  readonly error: string | null
}

export interface PlainCaller {
  call(id: number, operation: string, input: unknown): void
  close(): void
}

interface Message {
  id: number
  result?: { success: boolean; result: unknown; error: string | null }
  error?: { message: string }
}

/**
 * A client that speaks plain JSON lines and sees every answer that comes. Ours hides a second answer to a call: its
 * promise is settled by then.
 */
export async function openPlainCaller(
  socketPath: string,
  pluginId: string,
  onAnswer: (id: number, answer: PlainAnswer) => void,
): Promise<PlainCaller> {
  const socket = net.connect(socketPath)
  await once(socket, 'connect')
  readLines(socket, (line) => {
    const message = JSON.parse(line) as Message
    onAnswer(message.id, answerIn(message))
  })
  return {
    call(id, operation, input) {
      const params = { plugin_id: pluginId, operation, input }
      writeLineBatched(socket, { jsonrpc: '2.0', id, method: 'execute_plugin', params })
    },
    close: () => socket.destroy(),
  }
}

function answerIn({ result, error }: Message): PlainAnswer {
  if (error !== undefined) return { result: undefined, error: error.message }
  if (result?.success !== true) return { result: undefined, error: result?.error ?? 'no result' }
  return { result: result.result, error: null }
}
