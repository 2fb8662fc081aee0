import { lockDown } from './lock-down.ts'
import { servePlugin } from './serve-plugin.ts'

/** Where the host put its end of the IPC socketpair. stdout and stderr belong to the plugin. */
const IPC_FD = 3

const exit = lockDown()
servePlugin(IPC_FD, exit)
