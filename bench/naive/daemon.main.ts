/** The process in the middle of `naive`: a JSON-RPC library parses and writes again each message, both ways. */
import { joinTwoHop } from '../harness/two-hop.ts'
import { connectionOn } from './connection.ts'

interface ExecuteParams {
  plugin_id: string
  operation: string
  input: unknown
}

joinTwoHop((clientSocket, runnerSocket) => {
  const client = connectionOn(clientSocket)
  const runner = connectionOn(runnerSocket)
  client.onRequest('execute_plugin', ({ operation, input }: ExecuteParams) =>
    runner.sendRequest('execute', { operation, input }),
  )
  runner.listen()
  client.listen()
})
