import type { DenialKind } from './denial.ts'

export const PERMISSION_MODES = ['enforce', 'observe'] as const
/** `observe`: what a plugin reaches for beyond its grants is written down, and the runtime does not refuse it. */
export type PermissionMode = (typeof PERMISSION_MODES)[number]

/** One thing that a plugin reached for while it was observed. */
interface ObservedAccess {
  kind: DenialKind
  /** An absolute path, a host, a variable, a program, a feature of the runtime. */
  resource: string
  times: number
}

/** What `get_learned_permissions` answers. */
export interface LearnedPermissions {
  plugin_id: string
  /** `enforce`: nothing is observed, and all lists are empty. */
  mode: PermissionMode
  /** The smallest `[permissions]` that would do for what was observed. */
  permissions: string[]
  /** Keys of `[runtime]` that would have to be true. */
  runtime: string[]
  /** Of both, what the manifest does not ask for yet. */
  to_add: { permissions: string[]; runtime: string[] }
  /** Permissions of the manifest that nothing which was observed needs. */
  unused: string[]
  /** What no line of a manifest would change, in words. */
  notes: string[]
  observed: ObservedAccess[]
}
