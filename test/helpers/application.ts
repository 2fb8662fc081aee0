import { create_plugin_system } from '../../src/index.ts'

/** An application of its own: attaches, makes a call, says its daemon's process id, and stays. */
const [, , plugins = '', workspace = ''] = process.argv
const system = await create_plugin_system(plugins, 'test', { workspace })
await system.execute_plugin('echoes', 'echo')
process.stdout.write(String((await system.get_status()).pid))
process.stdin.resume()
