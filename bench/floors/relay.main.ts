/** The process in the middle of both floors: copies bytes. argv: the runner's entry. */
import { joinTwoHop } from '../harness/two-hop.ts'

joinTwoHop((client, runner) => {
  client.on('data', (chunk) => runner.write(chunk))
  runner.on('data', (chunk) => client.write(chunk))
})
