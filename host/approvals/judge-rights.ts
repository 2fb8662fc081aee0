import type { Permission } from '../../src/contract/permission.ts'
import { applyAdminRules, type AdminRule } from './admin-rules.ts'
import { assess } from './risk.ts'
import { covers, heldOf, rightText, sorted, type Right } from './right.ts'

/** What somebody decided about a plugin: what was asked then, and what of it was given. */
export interface Decision {
  readonly asked: readonly Right[]
  readonly granted: readonly Right[]
}

export interface RightsQuestion {
  readonly pluginId: string
  readonly asked: readonly Right[]
  /** Null: nobody has decided. Then nothing is approved. */
  readonly decision: Decision | null
  /** Somebody took the approval back; `decision` is null then. */
  readonly isRevoked: boolean
  readonly rules: readonly AdminRule[]
  /** Why the administrator's policy can't be told; null where it can. Then nothing is held. */
  readonly policyFault: string | null
  /** Why nobody may hold it, whoever approves it; null for what can be held. */
  readonly refusalOf: (right: Right) => string | null
}

export interface JudgedRight {
  readonly right: Right
  readonly isNew: boolean
  readonly approved: readonly Right[]
  readonly effective: readonly Right[]
  readonly refused: string | null
}

export interface RightsVerdict {
  readonly rights: readonly JudgedRight[]
  /** Declared ∩ approved ∩ the administrator's policy. */
  readonly effective: readonly Right[]
  /** What waits for somebody to decide. */
  readonly undecided: readonly Right[]
  /** Why the plugin may not run, in words; null when it may. */
  readonly blocked: string | null
}

/** Pure: what a plugin holds of what it asks for, and whether it may run so. */
export function judgeRights(question: RightsQuestion): RightsVerdict {
  const rights = question.asked.map((right) => judgeRight(right, question))
  const undecided = rights.filter(({ isNew }) => isNew).map(({ right }) => right)
  const blocked = blockedReason(question, rights, undecided)
  const effective = blocked === null ? sorted(rights.flatMap((one) => one.effective)) : []
  return { rights, effective, undecided, blocked }
}

function judgeRight(right: Right, question: RightsQuestion): JudgedRight {
  const { decision, policyFault } = question
  const isNew = decision === null || !decision.asked.some((asked) => covers(asked, right))
  const approved = decision === null ? [] : heldOf(right, decision.granted)
  const refusal = question.refusalOf(right)
  const base = { right, isNew, approved }
  if (refusal !== null) return { ...base, effective: [], refused: refusal }
  if (policyFault !== null) return { ...base, effective: [], refused: policyFault }
  const verdicts = approved.map((part) => applyAdminRules(part, question.rules))
  const effective = sorted(verdicts.flatMap(({ left }) => left))
  const taken = verdicts.flatMap(({ reason }) => reason ?? [])
  return { ...base, effective, refused: refusedReason({ isNew, right, approved, taken }) }
}

function refusedReason(judged: {
  right: Right
  isNew: boolean
  approved: readonly Right[]
  taken: readonly string[]
}): string | null {
  const { right, isNew, approved, taken } = judged
  if (isNew) return 'it is not approved'
  if (approved.length === 0) return 'whoever approved the plugin did not give it'
  const isWhole = approved.some((part) => covers(part, right))
  const reasons = [...(isWhole ? [] : ['whoever approved the plugin gave a part of it']), ...taken]
  return reasons.length === 0 ? null : [...new Set(reasons)].join('; ')
}

function blockedReason(
  question: RightsQuestion,
  rights: readonly JudgedRight[],
  undecided: readonly Right[],
): string | null {
  const { pluginId, decision, isRevoked, policyFault, rules } = question
  if (policyFault !== null) return policyFault
  const rule = rules.find(({ blockedAt }) => blockedAt !== null)
  if (rule !== undefined) return `the administrator's policy blocks it (${rule.blockedAt})`
  // What was asked and not given is no reason: the plugin runs without it.
  const refused = rights.flatMap(({ right, isNew, approved }) => {
    const reason = isNew || approved.length > 0 ? question.refusalOf(right) : null
    return reason === null ? [] : [`"${rightText(right)}": ${reason}`]
  })
  if (refused.length > 0) return refused.join('; ')
  if (decision !== null && undecided.length === 0) return null
  const decide = `Decide with "phantom approve ${pluginId}"`
  const before = isRevoked ? 'its approval was taken back' : 'nobody has approved it'
  if (undecided.length === 0) return `${before}; it asks for no right. ${decide}`
  const asked = undecided.map((right) => `"${rightText(right)}" (${assess(right).risk} risk)`).join(', ')
  return decision === null
    ? `${before}; it asks for ${asked}. ${decide}`
    : `it asks for more than was approved: ${asked}. ${decide}`
}

/** The effective rights as the sandbox takes them: a permission that is held whole stands as the manifest spells it. */
export function effectivePermissions(
  declared: readonly { readonly permission: Permission; readonly rights: readonly Right[] }[],
  effective: readonly Right[],
  toPermission: (right: Right) => Permission | null,
): Permission[] {
  return declared.flatMap(({ permission, rights }) => {
    const parts = rights.flatMap((right) => heldOf(right, effective))
    const isWhole = rights.every((right) => parts.some((part) => rightText(part) === rightText(right)))
    return isWhole ? [permission] : sorted(parts).flatMap((part) => toPermission(part) ?? [])
  })
}
