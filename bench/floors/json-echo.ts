import { runnerSocket } from '../harness/two-hop.ts'
import { readLines, type WriteLine } from './json-lines.ts'

/** The runner of both JSON relays: parses a request, answers with its input. */
export function serveJsonEcho(write: WriteLine): void {
  const socket = runnerSocket()
  readLines(socket, (line) => {
    const { id, params } = JSON.parse(line) as { id: number; params: { input: unknown } }
    write(socket, { jsonrpc: '2.0', id, result: params.input })
  })
}
