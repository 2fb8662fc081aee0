import { parsePermission } from '../../src/contract/permission.ts'
import { PhantomError, type WireError } from '../../src/contract/phantom-error.ts'
import type { Execution } from './execution.ts'

/** What the kernel says of a file that the sandbox does not show, or shows read-only. */
const READ_CODES = new Set(['ENOENT', 'EACCES', 'EPERM'])
const WRITE_CODES = new Set(['EROFS'])

export interface RefusedAccess {
  /** Absolute. */
  readonly path: string
  readonly readPaths: readonly string[]
  readonly writePaths: readonly string[]
  readonly error: WireError
}

/** The path that a failed file operation of the plugin was about; null when its failure is none of these. */
export function pathBehind(error: WireError): string | null {
  const { code, path } = (error.data?.details ?? {}) as { code?: unknown; path?: unknown }
  if (typeof path !== 'string' || path === '' || typeof code !== 'string') return null
  return READ_CODES.has(code) || WRITE_CODES.has(code) ? path : null
}

/**
 * Names the line that the manifest would need, where a path of the workspace lies beside every grant. Elsewhere null:
 * what is missing inside a grant is really missing, and a private folder may have what the host's has not.
 */
export function refusalError(execution: Execution, access: RefusedAccess): PhantomError | null {
  const { path, error } = access
  const { code } = error.data!.details as { code: string }
  const { plugin, operation, workspace } = execution.call
  if (!isInside(path, workspace)) return null
  const isWrite = WRITE_CODES.has(code)
  const granted = isWrite ? access.writePaths : [...access.readPaths, ...access.writePaths]
  if (granted.some((root) => isInside(path, root))) return null
  const line = `${isWrite ? 'fs_write' : 'fs_read'}:${path}`
  if ('error' in parsePermission(line)) return null
  return new PhantomError(
    'PERMISSION_DENIED',
    `Cannot finish "${operation}" of "${plugin.id}": Cannot access "${path}": it lies outside of what was granted (${code}). ` +
      `If the plugin should have this, add to its plugin.toml: [permissions] permissions = [${JSON.stringify(line)}]`,
    { details: { permission: isWrite ? 'FileSystemWrite' : 'FileSystemRead', resource: path, code } },
  )
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)
}
