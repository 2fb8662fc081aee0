import type { Permission } from '../../src/contract/permission.ts'
import { withoutNode } from './mechanisms.ts'
import { resolvePolicy, type Policy } from './policy.ts'

const OBSERVED =
  'permissions are observed, not enforced (permissions.mode is "observe"): what it reaches for is written down, and the ' +
  'sandbox alone holds it'
type Rest = Parameters<typeof resolvePolicy> extends [unknown, ...infer Others] ? Others : never

/** The whole workspace, to read. */
const WORKSPACE: Permission = { kind: 'fs_read', declared: 'fs_read:.', path: '.' }

/**
 * What a plugin gets while it is observed: what it holds, and its workspace to read, so that its code gets further
 * than its first look beside a grant. Nothing is writable that it may not write, and nothing reachable.
 */
export function observePolicy(permissions: readonly Permission[], ...rest: Rest): Policy {
  const wide = resolvePolicy([...permissions, WORKSPACE], ...rest)
  const reason = wide.permissions.at(-1)?.refused ?? noticeOf(wide)
  // Shown without being readable it would hide what the plugin holds inside of it.
  const policy = reason === null ? wide : resolvePolicy(permissions, ...rest)
  const notices = reason === null ? [OBSERVED] : [OBSERVED, `its workspace is not shown to it: ${reason}`]
  return {
    ...withoutNode({ ...policy, permissions: policy.permissions.slice(0, permissions.length) }),
    notices: [...notices, ...policy.notices],
  }
}

/** Why the workspace would be of no use to the plugin's user; null where it is. */
function noticeOf({ notices }: Policy): string | null {
  const head = `${WORKSPACE.declared}: `
  return notices.find((notice) => notice.startsWith(head))?.slice(head.length) ?? null
}
