/** The runner of `raw-relay`: writes back the bytes it reads. */
import { runnerSocket } from '../harness/two-hop.ts'

const socket = runnerSocket()
socket.on('data', (chunk) => socket.write(chunk))
