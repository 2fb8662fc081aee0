import type { PluginPermissions, RightInfo } from '../../src/contract/permissions-info.ts'
import type { JudgedRight } from '../approvals/judge-rights.ts'
import type { PluginRights } from '../approvals/plugin-rights.ts'
import {
  capabilitiesOf,
  covers,
  heldOf,
  parseRights,
  rightsDigest,
  rightsOf,
  rightsOfPermission,
  rightText,
  toPermission,
  type Right,
} from '../approvals/right.ts'
import { assess } from '../approvals/risk.ts'
import { askedManifest } from '../lifecycle/rights-changes.ts'
import type { InstanceLauncher } from '../process/instance-launcher.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'

interface DescribePowers {
  readonly rights: PluginRights
  readonly launcher: Pick<InstanceLauncher, 'explain'>
  readonly workspace: string
}

/** @throws PhantomError MANIFEST_INVALID for a plugin of which nobody knows what it asks for */
export function describePermissions(record: PluginRecord, powers: DescribePowers): PluginPermissions {
  const manifest = askedManifest(record)
  const { rights } = powers
  const asked = rightsOf(manifest)
  const { rights: judged } = rights.judge(record, manifest)
  const stored = rights.approvalOf(record)
  const lines = new Map(
    manifest.permissions.flatMap((permission) =>
      rightsOfPermission(permission).map((right) => [rightText(right), permission.declared] as const),
    ),
  )
  return {
    plugin_id: record.id,
    version: manifest.version,
    state: record.state,
    waiting: record.waiting?.reason ?? (record.state === 'blocked' ? record.reason : null),
    digest: rightsDigest(record.id, asked),
    rights: judged.map((one) => describeRight(record, one, { ...powers, lines })),
    messages: manifest.messages.map(({ type, from }) => ({ type, from: from === null ? null : [...from] })),
    dropped: droppedOf(stored?.asked ?? [], asked),
    approval: record.builtin
      ? { source: 'built_in', at: null, actor: null, digest: null, asked: [], granted: [] }
      : stored === null
        ? null
        : { ...stored, asked: [...stored.asked], granted: [...stored.granted] },
  }
}

function describeRight(
  record: PluginRecord,
  { right, isNew, approved, refused }: JudgedRight,
  powers: DescribePowers & { lines: ReadonlyMap<string, string> },
): RightInfo {
  const text = rightText(right)
  const held = heldOf(right, heldNow(record))
  return {
    right: text,
    declared: powers.lines.get(text) ?? `runtime.${right.value} = true`,
    ...assess(right),
    is_new: isNew,
    approved: approved.map(rightText),
    ...describeHeld(record, held, powers),
    ...(refused === null ? {} : { refused }),
  }
}

/** Where it is mounted in that workspace, or why it is not. */
function describeHeld(
  record: PluginRecord,
  held: readonly Right[],
  { launcher, workspace }: DescribePowers,
): Pick<RightInfo, 'effective' | 'mechanism' | 'refused'> {
  const { current } = record
  const [first] = held
  if (current === null || first === undefined) return { effective: null, mechanism: null, refused: null }
  if (first.kind === 'runtime') {
    return { effective: 'switched on', mechanism: "flags of the plugin's Node", refused: null }
  }
  const infos = launcher.explain(
    current,
    workspace,
    held.flatMap((right) => toPermission(right) ?? []),
  )
  const effective = infos.flatMap((info) => info.effective ?? [])
  const reasons = infos.flatMap((info) => info.refused ?? [])
  return {
    effective: effective.length === 0 ? null : effective.join(', '),
    mechanism: infos.find(({ mechanism }) => mechanism !== null)?.mechanism ?? null,
    refused: reasons.length === 0 ? null : reasons.join('; '),
  }
}

/** By the generation that serves: an update that waits has nothing of its own yet. */
function heldNow({ current, state }: PluginRecord): Right[] {
  if (current === null || state !== 'enabled') return []
  const capabilities = capabilitiesOf(current.runtime).map((value) => ({ kind: 'runtime', value }) as const)
  return [...current.rights.flatMap(rightsOfPermission), ...capabilities]
}

function droppedOf(before: readonly string[], asked: readonly Right[]): string[] {
  return before.filter((text) => {
    const rights = parseRights(text)
    return 'error' in rights || !rights.every((right) => asked.some((now) => covers(now, right)))
  })
}
