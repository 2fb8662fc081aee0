/** What one writes first: vscode-jsonrpc, the library of language servers, at each hop; no check, no deadline. */
import type { Design } from '../harness/design.ts'
import { startTwoHop } from '../harness/two-hop.ts'
import { connectionOn } from './connection.ts'

export const design: Design = {
  name: 'naive',
  async start() {
    const hop = await startTwoHop(
      new URL('daemon.main.ts', import.meta.url),
      new URL('runner.main.ts', import.meta.url),
    )
    const connection = connectionOn(hop.socket)
    connection.listen()
    return {
      ...hop,
      tier: null,
      call: ({ value }) =>
        connection.sendRequest('execute_plugin', { plugin_id: 'echo', operation: 'echo', input: value }),
      async close() {
        connection.dispose()
        await hop.close()
      },
    }
  },
}
