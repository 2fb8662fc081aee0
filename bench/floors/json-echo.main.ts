/** The runner of `json-relay`: parses a request, answers with its input. */
import { runnerSocket } from '../harness/two-hop.ts'
import { readLines, writeLine } from './json-lines.ts'

const socket = runnerSocket()
readLines(socket, (line) => {
  const { id, params } = JSON.parse(line) as { id: number; params: { input: unknown } }
  writeLine(socket, { jsonrpc: '2.0', id, result: params.input })
})
