import type { Design, RunningDesign } from '../harness/design.ts'
import { startTwoHop } from '../harness/two-hop.ts'
import { readLines, writeLine, type WriteLine } from './json-lines.ts'

/**
 * Floor: JSON-RPC 2.0 at the two ends, bytes copied in the middle, no check, no routing, no deadline; each message
 * is written by itself. What any plugin system with objects in and out pays at least.
 */
export const design: Design = {
  name: 'json-relay',
  start: () => startJsonRelay('json-echo.main.ts', writeLine),
}

/** @param runnerEntry in this folder */
export async function startJsonRelay(runnerEntry: string, write: WriteLine): Promise<RunningDesign> {
  const hop = await startTwoHop(
    new URL('relay.main.ts', import.meta.url),
    new URL(runnerEntry, import.meta.url),
  )
  const waiting = new Map<number, (result: unknown) => void>()
  readLines(hop.socket, (line) => {
    const { id, result } = JSON.parse(line) as { id: number; result: unknown }
    const resolve = waiting.get(id)
    waiting.delete(id)
    resolve?.(result)
  })
  let lastId = 0
  return {
    ...hop,
    tier: null,
    call: ({ value }) =>
      new Promise((resolve) => {
        const id = (lastId += 1)
        waiting.set(id, resolve)
        const params = { plugin_id: 'echo', operation: 'echo', input: value }
        write(hop.socket, { jsonrpc: '2.0', id, method: 'execute_plugin', params })
      }),
  }
}
