import type { Permission } from '../../src/contract/permission.ts'

/**
 * Which kinds of rights this build holds a plugin to. What stands as `false` is granted to nobody, whoever approved
 * it, and a plugin that asks for it is `blocked`: it must not start with less than it was promised, nor with more
 * than is held. Whoever lands the mechanism turns its line.
 */
export const GRANTABLE: Readonly<Record<Permission['kind'], boolean>> = {
  fs_read: true,
  fs_write: true,
  env: true,
  network: true,
  process: false,
}
