/** A client that calls one plugin as often as it can. argv: the plugin directory, the plugin's id. */
import { create_plugin_system } from '@phantom-ml/core'
import { recordsPayload } from '../harness/payload.ts'

/** More than the plugin runs at once, so that its queue is never empty. */
const IN_FLIGHT = 256

const [, , directory = '', id = ''] = process.argv
const { value } = recordsPayload(100)
let answered = 0

process.once('disconnect', () => process.exit())
process.on('message', () => process.send?.(answered))

const system = await create_plugin_system(directory, 'test')
await system.execute_plugin(id, 'echo', value)
for (let lane = 0; lane < IN_FLIGHT; lane += 1) void flood()
process.send?.('flooding')

async function flood(): Promise<void> {
  for (;;) {
    await system.execute_plugin(id, 'echo', value)
    answered += 1
  }
}
