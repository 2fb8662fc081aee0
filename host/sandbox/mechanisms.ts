import type { IsolationTier } from '../../src/contract/life.ts'
import type { PermissionInfo } from '../../src/contract/plugin-info.ts'

/** What holds each wall of a runner, in words for people; null where nothing does. */
export interface Mechanisms {
  readonly files: string | null
  readonly network: string | null
  readonly processes: string | null
  readonly memory: string | null
  readonly systemCalls: string | null
  readonly uid: string | null
  readonly privileges: string | null
  /** What ends the runner when the daemon is killed. */
  readonly lifetime: string | null
}

const INNER_LAYER = ' + node --permission'

/** For `PermissionInfo.mechanism`. */
export const PERMISSION_MECHANISMS = {
  namespace: {
    files: `mount namespace${INNER_LAYER}`,
    env: 'exact environment + pid namespace',
    network: 'network namespace + proxy of the daemon',
    process: 'the same namespaces and system calls, read-only /usr, RLIMIT_NPROC',
  },
  process: {
    files: 'node --permission',
    env: 'exact environment',
    // Granted to nobody there.
    network: 'node --permission',
    process: 'node --permission',
  },
} as const satisfies Record<IsolationTier, Record<'files' | 'env' | 'network' | 'process', string>>

/** Where Node's permission model is not there, or refuses nothing. */
export function withoutNode<Held extends { readonly permissions: readonly PermissionInfo[] }>(
  policy: Held,
): Held {
  const permissions = policy.permissions.map((info) => ({
    ...info,
    mechanism: info.mechanism?.replace(INNER_LAYER, '') ?? null,
  }))
  return { ...policy, permissions }
}

const EVERYWHERE = [
  'disk space in fs_write folders, beyond max_file_size_mb a file; that of data_dir is watched, not held',
  'CPU time while no call runs, beyond making a greedy process nicer',
]

const UNENFORCED = {
  namespace: [
    'sockets that lie inside a granted folder, for a plugin that has the permission network as well',
    'memory of all programs together that a plugin with the permission process starts: each has the limit for itself, their sum is watched',
    ...EVERYWHERE,
  ],
  process: [
    'files and network against code that gets around Node: its permission model is no boundary (https://nodejs.org/api/permissions.html)',
    'files behind symbolic links inside a granted folder or the plugin itself',
    'signals to, and facts about, processes of the same user',
    'system calls: no filter stands between a plugin and the kernel',
    'the memory of shared mappings',
    'programs as such: Node refuses to start them, the kernel only limits how many (and not even that for an ordinary user)',
    'a private /tmp: temporary files go to data_dir',
    ...EVERYWHERE,
  ],
} as const satisfies Record<IsolationTier, readonly string[]>

/** What a tier can't hold a plugin to; shown wherever the tier is. */
export function unenforced(tier: IsolationTier): string[] {
  return [...UNENFORCED[tier]]
}
