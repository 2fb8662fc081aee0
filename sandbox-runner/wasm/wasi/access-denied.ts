/** As Node's permission model names what it refuses, so that whoever asks why gets the same words from every runtime. */
export type DeniedPermission = 'FileSystemRead' | 'FileSystemWrite' | 'FileSystem'

/** What a module reached for and was not granted. */
export class AccessDenied extends Error {
  override readonly name = 'Error'
  readonly code = 'ERR_ACCESS_DENIED'
  readonly permission: DeniedPermission
  /** An absolute path. */
  readonly resource: string

  constructor(permission: DeniedPermission, resource: string) {
    super(`Access to ${JSON.stringify(resource)} was not granted (${permission})`)
    this.permission = permission
    this.resource = resource
  }
}
