/** Files that a plugin makes are its own and its group's (the host reads them), nobody else's. */
const UMASK = 0o007

/**
 * Readies the process for plugin code, which will share this realm. That is no boundary: a plugin can always ruin
 * its own process. It keeps accidents, such as a library that patches `JSON`, away from the protocol.
 *
 * @returns `process.exit` as it is now.
 */
export function lockDown(): (code: number) => never {
  process.umask(UMASK)
  Object.freeze(JSON)
  Object.defineProperty(globalThis, 'JSON', { value: JSON, writable: false, configurable: false })
  const exit: (code: number) => never = process.exit.bind(process)
  // The first process of a pid namespace dies of no signal that it has no handler for (pid_namespaces(7)).
  process.on('SIGTERM', () => exit(128 + 15))
  return exit
}
