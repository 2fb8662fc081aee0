import { SYSTEM_PATH } from '../sandbox/host-folders.ts'
import { contains } from '../sandbox/paths.ts'

/**
 * Where nobody but the machine's administrator puts files: a program's headers may lead there, and nowhere else beside
 * its own folder. Were its word taken for any path, an executable would be a way to be shown every file.
 */
const SYSTEM_FOLDERS = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/opt',
  '/nix/store',
  '/gnu/store',
]

export function isSystemPlace(canonical: string): boolean {
  return SYSTEM_FOLDERS.some((folder) => contains(folder, canonical))
}

/**
 * Whether a project lies in one of them, as deployments below /opt do: whoever writes there is no administrator. A folder
 * with programs of the system in it is no project's alone.
 */
export function isProjectPlace(folder: string): boolean {
  return isSystemPlace(folder) && ![...SYSTEM_FOLDERS, ...SYSTEM_PATH].some((own) => contains(folder, own))
}
