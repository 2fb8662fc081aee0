import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lstatSync,
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
 *
 * @throws PhantomError PERMISSION_DENIED when a link stands in its place
 */
export function makeDataDirectory(stateDirectory: string, pluginId: string, gid: number | null): string {
  const parent = join(stateDirectory, 'data')
  const path = join(parent, pluginId)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  // Without bubblewrap a runner goes through the parent by its own uid, to what is its own.
  if (gid !== null) chmodSync(parent, 0o711)
  withFolder(path, (descriptor) => {
    if (gid === null) return
    fchownSync(descriptor, 0, gid)
    fchmodSync(descriptor, 0o2770)
  })
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
  withFolder(path, (descriptor) => {
    const real = readlinkSync(`/proc/self/fd/${descriptor}`)
    if (real !== path) throw notItself(path, real)
    fchownSync(descriptor, 0, gid)
    fchmodSync(descriptor, 0o2775)
  })
}

/** Follows links above it, not the folder itself. */
function withFolder(path: string, use: (descriptor: number) => void): void {
  const descriptor = openFolder(path)
  try {
    use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function openFolder(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) throw error
    throw notItself(path, readlinkSync(path))
  }
}

function notItself(path: string, real: string): PhantomError {
  return new PhantomError(
    'PERMISSION_DENIED',
    `Cannot make folder "${path}": it now leads to "${real}". Remove the link that stands in its way`,
  )
}
