/** The runner of `naive`. */
import { runnerSocket } from '../harness/two-hop.ts'
import { connectionOn } from './connection.ts'

const connection = connectionOn(runnerSocket())
connection.onRequest('execute', ({ input }: { operation: string; input: unknown }) => input)
connection.listen()
