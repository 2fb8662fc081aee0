import type { ForbiddenPlace } from '../sandbox/policy.ts'
import { heldOf, rightText, touches, type Right } from './right.ts'

type LimitedKind = Exclude<Right['kind'], 'process'>

/** What an administrator says of some plugins. Semantics: an empty one takes nothing away; none of them ever gives. */
export interface AdminRule {
  /** Where it says that these plugins do not run at all; null where it does not. */
  readonly blockedAt: string | null
  /** A right that touches one of these is taken away whole. */
  readonly refuse: readonly { readonly right: Right; readonly place: string }[]
  /** Of a kind that stands here nothing else is left. Absent: all of it is; empty: none. */
  readonly only: Readonly<Partial<Record<LimitedKind, Limit>>>
}

interface Limit {
  readonly rights: readonly Right[]
  readonly place: string
}

export interface AdminVerdict {
  /** In the end, of that one right; empty: nothing. */
  readonly left: readonly Right[]
  /** Why it is less; null when nothing was taken. */
  readonly reason: string | null
}

/** What all rules together leave of one right. */
export function applyAdminRules(right: Right, rules: readonly AdminRule[]): AdminVerdict {
  let left: Right[] = [right]
  const reasons: string[] = []
  for (const rule of rules) {
    const refusal = rule.refuse.find(({ right: taken }) => left.some((part) => touches(part, taken)))
    if (refusal !== undefined) {
      return { left: [], reason: `the administrator's policy refuses it (${refusal.place})` }
    }
    const limits = limitsOf(right.kind, rule)
    if (limits === null) continue
    const next = left.flatMap((part) => heldOf(part, limits.rights))
    if (textOf(next) === textOf(left)) continue
    const share = next.length === 0 ? 'nothing' : 'a part'
    reasons.push(`the administrator's policy leaves ${share} of it (${limits.place})`)
    left = next
  }
  return { left, reason: reasons.length === 0 ? null : reasons.join('; ') }
}

/**
 * A right to write reads as well: what may be written may be read wherever reading is limited to, and where writing
 * itself has no limit, that of reading is one of it, too.
 */
function limitsOf(kind: Right['kind'], { only }: AdminRule): Limit | null {
  if (kind === 'process') return null
  const { fs_read: read, fs_write: write } = only
  if (kind === 'fs_read' && read !== undefined) {
    return { rights: [...read.rights, ...(write?.rights ?? [])], place: read.place }
  }
  if (kind === 'fs_write' && write === undefined && read !== undefined) {
    return { rights: read.rights.map((right) => ({ ...right, kind })), place: read.place }
  }
  return only[kind] ?? null
}

function textOf(rights: readonly Right[]): string {
  return rights.map(rightText).join('\n')
}

/** Places that rules refuse: where a path really leads is known only where it is mounted, so they are held there again. */
export function forbiddenPlaces(rules: readonly AdminRule[]): ForbiddenPlace[] {
  return rules.flatMap(({ refuse }) =>
    refuse.flatMap(({ right: { kind, value }, place }) =>
      kind === 'fs_read' || kind === 'fs_write' ? [{ kind, path: value, place }] : [],
    ),
  )
}
