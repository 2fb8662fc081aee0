import { syncBuiltinESMExports } from 'node:module'

let isAnswered = false

/**
 * The sandbox gives no sockets to ask the kernel with, and Node throws an error without a name. Libraries that look for
 * an address (for an id, a seed, a log line) cope with there being none. To be called when a plugin imports it: loading
 * it costs a start 0.3 ms.
 */
export function answerNetworkInterfaces(): void {
  if (isAnswered) return
  isAnswered = true
  // Not by import: of a default one the bundle copies every member at start.
  const os = process.getBuiltinModule('node:os')
  const asked = os.networkInterfaces
  os.networkInterfaces = () => {
    try {
      return asked()
    } catch {
      return {}
    }
  }
  syncBuiltinESMExports()
}
