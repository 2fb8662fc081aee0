/** Where the daemon stands in the unified hierarchy, or why it stands in none. */
export type OwnCgroup = { readonly folder: string } | { readonly reason: string }

/**
 * Pure: from `/proc/self/cgroup` and `/proc/self/mountinfo` (cgroups(7)). Only a machine whose controllers are all in
 * version 2 counts: in a hybrid one (some controllers in version 1) the unified tree holds none that limit anything.
 */
export function findOwnCgroup({ cgroup, mountinfo }: { cgroup: string; mountinfo: string }): OwnCgroup {
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1]
  const mount = mountinfo
    .split('\n')
    .map(readMount)
    .find((found) => found?.type === 'cgroup2')
  if (path === undefined || mount == null) return { reason: 'the hierarchy is of version 1' }
  if (/^\d+:[^:]+:/m.test(cgroup)) return { reason: 'the hierarchy is of version 1, or of both' }
  const inside = relativeTo(mount.root, path)
  return inside === null
    ? { reason: 'the daemon stands outside of what is mounted' }
    : { folder: `${mount.at}${inside}` }
}

/** `36 35 98:0 /root /at rw,noatime master:1 - type source options` */
function readMount(line: string): { root: string; at: string; type: string } | null {
  const [before = '', after = ''] = line.split(' - ')
  const [, , , root, at] = before.split(' ')
  const [type] = after.split(' ')
  return root === undefined || at === undefined || type === undefined ? null : { root, at, type }
}

function relativeTo(root: string, path: string): string | null {
  if (root === '/') return path === '/' ? '' : path
  if (path === root) return ''
  return path.startsWith(`${root}/`) ? path.slice(root.length) : null
}
