/** What `get_permissions`, `approve_plugin` and `revoke_plugin` answer. */
import type { AuditActor } from './audit.ts'
import type { PluginState } from './life.ts'
import type { MessageInfo } from './plugin-info.ts'

/** `high` is a wide grant: it waits for a person in every environment. */
export type RightRisk = 'low' | 'medium' | 'high'

/** `built_in`: comes with the package. `first_sight`: this environment approves ordinary rights by itself. */
export type ApprovalSource = 'built_in' | 'first_sight' | 'person' | 'revoked'

/** One right that the plugin's manifest asks for now. */
export interface RightInfo {
  /** In its one spelling, as `approve_plugin` takes it: `fs_read:${workspace}/data`, `runtime:eval`. */
  right: string
  /** The line of the manifest that asks for it. */
  declared: string
  /** What it means, for whoever approves it. */
  sentence: string
  risk: RightRisk
  /** Nobody was asked for it before. */
  is_new: boolean
  /** What of it is approved, which may be less; empty: nothing. */
  approved: string[]
  /** What of it is held now, in words; null: nothing. */
  effective: string | null
  mechanism: string | null
  /** Why it is not held, or not all of it; null when all of it is. */
  refused: string | null
}

interface ApprovalInfo {
  source: ApprovalSource
  at: string | null
  /** Who said so, as far as it is known; null: the daemon itself. */
  actor: AuditActor | null
  digest: string | null
  /** What was asked then, and what of it was given. */
  asked: string[]
  granted: string[]
}

export interface PluginPermissions {
  plugin_id: string
  version: string | null
  state: PluginState
  /** Why it is blocked, or why an update waits; null when nothing does. */
  waiting: string | null
  /** Of what is asked now: `approve_plugin` must name it. */
  digest: string
  rights: RightInfo[]
  /** Who may have it act with these rights by messages: no right of its own, and worth a look beside them. */
  messages: Pick<MessageInfo, 'type' | 'from'>[]
  /** Asked for when it was approved, and no more. */
  dropped: string[]
  /** Null: nobody has decided about this plugin yet. */
  approval: ApprovalInfo | null
}

export interface ApprovalResult {
  plugin_id: string
  digest: string
  granted: string[]
  state: PluginState
  generation: number
  /** Why the plugin does not run with it yet, in words; null when it may. */
  problem: string | null
}
