import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RunnerIdentity } from '../sandbox/identity.ts'

/**
 * A plugin's private writable folder. A root daemon gives it to the plugin's group, set-group-ID, so that instances
 * with different uids share it and other plugins' have no right to it.
 */
export function makeDataDirectory(stateDirectory: string, pluginId: string, gid: number | null): string {
  const parent = join(stateDirectory, 'data')
  const path = join(parent, pluginId)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (gid !== null) {
    // Without bubblewrap a runner goes through the parent by its own uid, to what is its own.
    chmodSync(parent, 0o711)
    chownSync(path, 0, gid)
    chmodSync(path, 0o2770)
  }
  return path
}

/** Folders that a plugin may write and that are not there yet: a root daemon gives them to the plugin's group. */
export function makeGrantedFolders(paths: readonly string[], identity: RunnerIdentity | null): void {
  for (const path of paths) {
    mkdirSync(path, { recursive: true })
    if (identity === null) continue
    chownSync(path, 0, identity.gid)
    chmodSync(path, 0o2775)
  }
}
