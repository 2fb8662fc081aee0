/** Floor: the same program with nothing around it. Ready is its first answer on descriptor 3. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

const INITIALIZE = {
  protocol_version: '1.1',
  plugin_id: 'rust_echo',
  plugin_version: '1.0.0',
  metadata: { id: 'rust_echo', name: 'Echo', version: '1.0.0', description: '', author: '' },
  generation: 1,
  execution_id_prefix: 'b-',
  entry: '/main',
  workspace: '/',
  data_dir: '/',
  config: {},
  log_level: 'info',
  eval: false,
  observe: false,
  operations: [],
  max_payload_bytes: 1024,
}
const FIRST_LINE = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE })}\n`

export async function launchBareRust(program: string): Promise<{ child: ChildProcess; readyMs: number }> {
  const start = performance.now()
  const child = spawn(program, [], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  const channel = child.stdio[3] as Socket
  channel.write(FIRST_LINE)
  const [answer] = (await once(channel, 'data')) as [Buffer]
  const readyMs = performance.now() - start
  if (!answer.includes('"result"')) throw new Error(`the bare program answered ${answer.toString()}`)
  return { child, readyMs }
}
