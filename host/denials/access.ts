import { resolve } from 'node:path'
import type { WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'

/** What `[runtime]` of a manifest opens, and what no manifest does. */
export type RuntimeFeature =
  | 'addons'
  | 'sqlite'
  | 'inspector'
  | 'ffi'
  | 'eval'
  | 'wasi'
  | 'threads'
  | 'openssl_store'
  | 'symlinks'

/** What a plugin reached for, as a claim of its process: whether it was granted is not said here. */
export type Access =
  /** Absolute and normalised. */
  | { readonly kind: 'fs_read' | 'fs_write'; readonly path: string }
  /** `port` is null where nobody said which. */
  | { readonly kind: 'network'; readonly host: string; readonly port: number | null }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'process'; readonly program: string }
  | { readonly kind: 'runtime'; readonly feature: RuntimeFeature }

/** Names of Node's permission model (https://nodejs.org/api/permissions.html), and of our runner's: `Sqlite`, `Eval`, `Env`. */
const FEATURES: Readonly<Record<string, RuntimeFeature>> = {
  Addon: 'addons',
  FFI: 'ffi',
  Inspector: 'inspector',
  WASI: 'wasi',
  WorkerThreads: 'threads',
  OpenSSLStore: 'openssl_store',
  Sqlite: 'sqlite',
  Eval: 'eval',
  // Asked for by what needs all of the file system, which is the making of symbolic links.
  FileSystem: 'symlinks',
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/

/** What the kernel says of a file that the sandbox does not show, or shows read-only. */
const READ_CODES = new Set(['ENOENT', 'EACCES', 'EPERM'])
/** System calls that change the file system, as libuv names them. */
const WRITE_CALLS =
  /^(?:mkdir|mkdtemp|rmdir|unlink|rename|link|symlink|truncate|ftruncate|chmod|fchmod|chown|lchown|utime|futime|lutime|copyfile|write)$/
/** Longer than any path that Linux opens and any name of a host. */
const MAX_RESOURCE_CHARS = 4096

/** Reads what the runtime's permission model named; null for what it does not name, or we don't know. */
export function readAccess(permission: unknown, resource: unknown, workspace: string): Access | null {
  if (typeof permission !== 'string' || typeof resource !== 'string') return null
  if (resource.length > MAX_RESOURCE_CHARS) return null
  switch (permission) {
    case 'FileSystemRead':
      return resource === '' ? null : { kind: 'fs_read', path: resolve(workspace, resource) }
    case 'FileSystemWrite':
      return resource === '' ? null : { kind: 'fs_write', path: resolve(workspace, resource) }
    case 'ChildProcess':
      return { kind: 'process', program: resource }
    case 'Net':
      return { kind: 'network', ...hostIn(resource) }
    case 'Env':
      return VARIABLE.test(resource) ? { kind: 'env', name: resource } : null
    default: {
      const feature = Object.hasOwn(FEATURES, permission) ? FEATURES[permission] : undefined
      return feature === undefined ? null : { kind: 'runtime', feature }
    }
  }
}

export interface FailedAccess {
  readonly access: Access
  /**
   * True where Node's permission model said so. The kernel only says that a file is not there: that is a denial for
   * what a manifest could have named, and a missing file else.
   */
  readonly isNamed: boolean
}

/** The access behind an error with which a plugin's code failed; null when it failed of something else. */
export function accessBehind(error: WireError, workspace: string): FailedAccess | null {
  const details = (error.data?.details ?? {}) as Record<string, unknown>
  if (error.code === RUNNER_ERRORS.access_denied) {
    const access = readAccess(details['permission'], details['resource'], workspace)
    if (access === null) return null
    return {
      access: access.kind === 'network' ? { ...access, port: portIn(details) ?? access.port } : access,
      isNamed: true,
    }
  }
  const { code, path, syscall } = details
  if (typeof path !== 'string' || path === '' || path.length > MAX_RESOURCE_CHARS) return null
  if (typeof code !== 'string') return null
  const isWrite = code === 'EROFS' || (typeof syscall === 'string' && WRITE_CALLS.test(syscall))
  if (code !== 'EROFS' && !READ_CODES.has(code)) return null
  return {
    access: { kind: isWrite ? 'fs_write' : 'fs_read', path: resolve(workspace, path) },
    isNamed: false,
  }
}

/** `host`, or `host:port` where somebody knew it. */
function hostIn(resource: string): { host: string; port: number | null } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(resource) ?? []
  const host = bracketed ?? plain
  // An IPv6 address without brackets has no port.
  if (host === undefined) return { host: resource, port: null }
  return { host, port: portIn({ port: port === undefined ? null : Number(port) }) }
}

function portIn({ port }: Record<string, unknown>): number | null {
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : null
}

/** Two accesses with the same key are about the same thing, whoever of the runtime's told of them. */
export function accessKey(access: Access): string {
  switch (access.kind) {
    case 'fs_read':
    case 'fs_write':
      return `${access.kind} ${access.path}`
    case 'network':
      return `network ${access.host}`
    case 'env':
      return `env ${access.name}`
    case 'process':
      return 'process'
    case 'runtime':
      return `runtime ${access.feature}`
  }
}
