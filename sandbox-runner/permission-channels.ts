import { fullResource, readText } from './runner-error.ts'

const MAX_CHARS = 4096

/** What Node's permission model publishes (https://nodejs.org/api/permissions.html), also where it refuses. */
export const PERMISSION_CHANNELS = [
  'addon',
  'child',
  'ffi',
  'fs',
  'inspector',
  'net',
  'openssl-store',
  'wasi',
  'worker',
].map((name) => `node:permission-model:${name}`)

/** What a message of them is about; null where it does not say. A path is made whole. */
export function deniedIn(message: unknown): { permission: string; resource: string } | null {
  const permission = readText(message, 'permission', MAX_CHARS)
  const resource = readText(message, 'resource', MAX_CHARS)
  if (permission === null || resource === null) return null
  return { permission, resource: fullResource(permission, resource) }
}
