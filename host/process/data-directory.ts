import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
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

/**
 * Folders that a plugin may write and that are not there yet: a root daemon gives them to the plugin's group.
 *
 * @throws PhantomError PERMISSION_DENIED when something else came to stand there meanwhile
 */
export function makeGrantedFolders(paths: readonly string[], identity: RunnerIdentity | null): void {
  for (const path of paths) {
    mkdirSync(path, { recursive: true })
    if (identity !== null) giveFolder(path, identity.gid)
  }
}

/**
 * By descriptor, and only if it is the very folder of that path: another plugin that may write in the workspace could
 * have put a link there, and root would give away what it points to.
 */
function giveFolder(path: string, gid: number): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const real = readlinkSync(`/proc/self/fd/${descriptor}`)
    if (real !== path) {
      throw new PhantomError(
        'PERMISSION_DENIED',
        `Cannot make folder "${path}": it now leads to "${real}". Remove the link that stands in its way`,
      )
    }
    fchownSync(descriptor, 0, gid)
    fchmodSync(descriptor, 0o2775)
  } finally {
    closeSync(descriptor)
  }
}
