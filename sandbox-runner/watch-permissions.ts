import { subscribe } from 'node:diagnostics_channel'
import { fullResource, readText } from './runner-error.ts'

/** What Node's permission model publishes (https://nodejs.org/api/permissions.html), also where it refuses. */
const CHANNELS = ['addon', 'child', 'ffi', 'fs', 'inspector', 'net', 'openssl-store', 'wasi', 'worker']
/** Told between two calls; the host bounds by itself what it believes. */
const MAX_TOLD = 64
const MAX_CHARS = 4096

export interface PermissionWatch {
  /** A call begins: what was told before is told again. */
  forget(): void
}

/** Tells of each access that the permission model did not grant, whether or not plugin code caught the error. */
export function watchPermissions(
  tell: (denied: { permission: string; resource: string }) => void,
): PermissionWatch {
  const told = new Set<string>()
  const listen = (message: unknown): void => {
    const permission = readText(message, 'permission', MAX_CHARS)
    const resource = readText(message, 'resource', MAX_CHARS)
    if (permission === null || resource === null || told.size >= MAX_TOLD) return
    const place = fullResource(permission, resource)
    const key = `${permission} ${place}`
    if (told.has(key)) return
    told.add(key)
    tell({ permission, resource: place })
  }
  for (const channel of CHANNELS) subscribe(`node:permission-model:${channel}`, listen)
  return { forget: () => told.clear() }
}
