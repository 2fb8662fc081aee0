import type { Manifest } from '../../src/contract/manifest.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { Permission } from '../../src/contract/permission.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import { refusalOf, type ForbiddenPlace } from '../sandbox/policy.ts'
import type { ApprovalTable, StoredApproval } from '../store/approval-table.ts'
import { forbiddenPlaces, type AdminRule } from './admin-rules.ts'
import {
  effectivePermissions,
  judgeRights,
  type Decision,
  type JudgedRight,
  type RightsVerdict,
} from './judge-rights.ts'
import { assess } from './risk.ts'
import {
  capabilitiesOf,
  covers,
  parseRights,
  rightsDigest,
  rightsOf,
  rightsOfPermission,
  rightText,
  sorted,
  toPermission,
  type Right,
} from './right.ts'

/** Whose rights are asked about. */
export interface RightsHolder {
  readonly id: string
  readonly builtin: boolean
}

/** What an administrator's policy says of one plugin. */
interface PolicyView {
  readonly rules: readonly AdminRule[]
  /** Why it can't be told; null where it can. */
  readonly fault: string | null
}

export interface PluginRightsOptions {
  readonly table: ApprovalTable
  readonly environment: string
  readonly policyOf: (holder: RightsHolder, author: string | null) => PolicyView
  readonly log: DaemonLog
  readonly record: AuditLog['record']
}

/** Something that the manifest asks for and is not held, or not whole. */
export interface NotHeld {
  /** As the manifest spells it; of a capability its right, `runtime:eval`. */
  readonly declared: string
  readonly reason: string
  /** Somebody approved all of it: then it was taken since. */
  readonly isApproved: boolean
}

/** What a generation is made with. */
export interface HeldRights {
  readonly permissions: readonly Permission[]
  /** Capabilities of the runtime that are held. */
  readonly runtime: Manifest['runtime']
  readonly notHeld: readonly NotHeld[]
  /** Places that stay closed wherever a path leads. */
  readonly forbidden: readonly ForbiddenPlace[]
}

/** Environments in which the first sight of a plugin approves ordinary rights by itself. */
const TRUSTING: readonly string[] = ['development', 'test']

/** Who may do what: what manifests ask for, what was approved, and what the administrator's policy leaves of it. */
export class PluginRights {
  readonly #options: PluginRightsOptions

  constructor(options: PluginRightsOptions) {
    this.#options = options
  }

  /** At the first sight of a plugin: where the environment lets it, ordinary rights are approved, and it is said. */
  admit(holder: RightsHolder, manifest: Manifest): RightsVerdict {
    const { environment, table, log } = this.#options
    if (holder.builtin || !TRUSTING.includes(environment) || table.get(holder.id) !== null) {
      return this.judge(holder, manifest)
    }
    const asked = rightsOf(manifest)
    if (asked.some((right) => assess(right).risk === 'high')) return this.judge(holder, manifest)
    this.#decide(holder.id, { asked, granted: asked }, { source: 'first_sight', actor: null })
    if (asked.length > 0) {
      log.info(`approved at first sight, as environment ${environment} does with ordinary rights`, {
        plugin_id: holder.id,
        rights: asked.map(rightText),
      })
    }
    return this.judge(holder, manifest)
  }

  judge(holder: RightsHolder, manifest: Manifest): RightsVerdict {
    const { rules, fault } = this.#options.policyOf(holder, manifest.author)
    const asked = rightsOf(manifest)
    const stored = this.approvalOf(holder)
    const isRevoked = stored?.source === 'revoked'
    const decision = holder.builtin ? { asked, granted: asked } : toDecision(stored)
    const policyFault = holder.builtin ? null : fault
    return judgeRights({
      pluginId: holder.id,
      asked,
      decision,
      isRevoked,
      rules,
      policyFault,
      refusalOf: never,
    })
  }

  /** What a generation with that manifest holds now. */
  heldBy(holder: RightsHolder, manifest: Manifest): HeldRights {
    const { effective, rights: judged } = this.judge(holder, manifest)
    const { rules } = this.#options.policyOf(holder, manifest.author)
    const declared = manifest.permissions.map((permission) => ({
      permission,
      rights: rightsOfPermission(permission),
    }))
    const names = effective.filter(({ kind }) => kind === 'runtime').map(({ value }) => value)
    const capabilities = capabilitiesOf(manifest.runtime).map((name) => [name, names.includes(name)])
    const runtime = { ...manifest.runtime, ...Object.fromEntries(capabilities) } as Manifest['runtime']
    return {
      permissions: effectivePermissions(declared, effective, toPermission),
      runtime,
      notHeld: notHeldOf(judged, declared),
      forbidden: forbiddenPlaces(rules),
    }
  }

  /** What an environment approved by itself counts in none that does not: there nobody has decided. */
  approvalOf(holder: RightsHolder): StoredApproval | null {
    const stored = holder.builtin ? null : this.#options.table.get(holder.id)
    const isByItself = stored?.source === 'first_sight'
    return isByItself && !TRUSTING.includes(this.#options.environment) ? null : stored
  }

  /**
   * @param granted texts of rights, each part of what is asked; all that is asked unless given
   * @throws PhantomError APPROVAL_OUTDATED, PARAMS_INVALID
   */
  approve(
    holder: RightsHolder,
    manifest: Manifest,
    request: { digest: string; granted?: readonly string[]; actor: StoredApproval['actor'] },
  ): Right[] {
    const asked = rightsOf(manifest)
    const digest = rightsDigest(holder.id, asked)
    if (request.digest !== digest) throw outdated(holder.id, digest, asked)
    const granted = request.granted === undefined ? asked : readGranted(holder.id, request.granted, asked)
    this.#decide(holder.id, { asked, granted }, { source: 'person', actor: request.actor })
    return granted
  }

  revoke(holder: RightsHolder, actor: StoredApproval['actor']): void {
    this.#decide(holder.id, { asked: [], granted: [] }, { source: 'revoked', actor })
  }

  /** The store first: what it did not take does not hold. */
  #decide(
    pluginId: string,
    { asked, granted }: Decision,
    by: Pick<StoredApproval, 'source' | 'actor'>,
  ): void {
    const { table, record } = this.#options
    const texts = { asked: asked.map(rightText), granted: granted.map(rightText) }
    const digest = rightsDigest(pluginId, asked)
    table.set(pluginId, {
      ...texts,
      digest,
      source: by.source,
      actor: by.actor,
      at: new Date().toISOString(),
    })
    const action = by.source === 'revoked' ? 'plugin.revoked' : 'plugin.approved'
    const details = { source: by.source, digest, ...texts }
    record({ action, plugin_id: pluginId, outcome: 'done', actor: by.actor, details })
  }
}

/** What nobody holds, whoever approves it. */
function never(right: Right): string | null {
  const permission = toPermission(right)
  return permission === null ? null : refusalOf(permission)
}

/** A right that this version can't read any more is not held. */
function toDecision(stored: StoredApproval | null): Decision | null {
  if (stored === null || stored.source === 'revoked') return null
  return { asked: readTexts(stored.asked), granted: readTexts(stored.granted) }
}

function readTexts(texts: readonly string[]): Right[] {
  return texts.flatMap((text) => {
    const rights = parseRights(text)
    return 'error' in rights ? [] : rights
  })
}

function readGranted(pluginId: string, texts: readonly string[], asked: readonly Right[]): Right[] {
  const granted = texts.flatMap((text) => {
    const rights = parseRights(text)
    if ('error' in rights)
      throw new PhantomError('PARAMS_INVALID', rights.error, { details: { permission: text } })
    const wider = rights.find((right) => !asked.some((one) => covers(one, right)))
    if (wider !== undefined) throw notAsked(pluginId, rightText(wider), asked)
    return rights
  })
  return sorted(granted)
}

function notAsked(pluginId: string, text: string, asked: readonly Right[]): PhantomError {
  const list = asked.map((right) => `"${rightText(right)}"`).join(', ')
  const known =
    asked.length === 0 ? 'It asks for nothing' : `It asks for ${list}; name one of these, or a part of one`
  return new PhantomError(
    'PARAMS_INVALID',
    `Cannot approve ${quoteText(text)} of "${pluginId}": the plugin does not ask for it. ${known}`,
    { details: { plugin_id: pluginId, permission: text } },
  )
}

function outdated(pluginId: string, digest: string, asked: readonly Right[]): PhantomError {
  return new PhantomError(
    'APPROVAL_OUTDATED',
    `Cannot approve "${pluginId}": it asks for something else than what that digest stands for. ` +
      `Look again with "phantom permissions ${pluginId}"; the digest is ${digest} now`,
    { details: { plugin_id: pluginId, digest, asked: asked.map(rightText) } },
  )
}

function notHeldOf(
  judged: readonly JudgedRight[],
  declared: readonly { readonly permission: Permission; readonly rights: readonly Right[] }[],
): NotHeld[] {
  return judged.flatMap(({ right, approved, refused }) => {
    if (refused === null) return []
    const asking = declared.filter(({ rights }) => rights.some((one) => rightText(one) === rightText(right)))
    const names =
      asking.length === 0 ? [rightText(right)] : asking.map(({ permission }) => permission.declared)
    const isApproved = approved.some((part) => covers(part, right))
    return names.map((name) => ({ declared: name, reason: refused, isApproved }))
  })
}
