/**
 * Floor: JSON-RPC 2.0 at the two ends, bytes copied in the middle, no check, no routing, no deadline. What any
 * plugin system with objects in and out pays at least.
 */
import type { Design } from '../harness/design.ts'
import { startTwoHop } from '../harness/two-hop.ts'
import { readLines, writeLine } from './json-lines.ts'

export const design: Design = {
  name: 'json-relay',
  async start() {
    const hop = await startTwoHop(
      new URL('relay.main.ts', import.meta.url),
      new URL('json-echo.main.ts', import.meta.url),
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
          writeLine(hop.socket, { jsonrpc: '2.0', id, method: 'execute_plugin', params })
        }),
    }
  },
}
