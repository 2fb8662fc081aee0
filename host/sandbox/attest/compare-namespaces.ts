import type { Compared } from './compared.ts'
import type { Expected, NamespaceKind } from './expected.ts'
import { parseMountinfo } from './parse-mountinfo.ts'
import { parseNumbers, parseStatus } from './parse-proc.ts'
import type { KernelFacts } from './read-facts.ts'

export function compareNamespaces(expected: Expected, facts: KernelFacts, daemon: KernelFacts): Compared[] {
  return expected.namespaces.map((kind) => {
    const found = facts.namespaces.get(kind) ?? { unreadable: 'not looked at' }
    const own = daemon.namespaces.get(kind) ?? { unreadable: 'not looked at' }
    const compared = {
      name: `namespace.${kind}`,
      declared: 'its own',
      mechanism: 'namespace',
      file: `ns/${kind}`,
    } as const
    if (!('value' in found))
      return indirectly(compared, { kind, facts, daemon }) ?? { ...compared, found: found.unreadable }
    if (!('value' in own)) return { ...compared, found: `the daemon's own: ${own.unreadable}` }
    // An odd text is nobody's namespace: it must not pass for another one.
    const isOne = new RegExp(`^${kind}:\\[\\d+\\]$`).test(found.value)
    const holds = isOne && found.value !== own.value
    const effective = holds ? `its own, ${found.value}` : isOne ? `the daemon's, ${found.value}` : found.value
    return { ...compared, found: { effective, holds } }
  })
}

type Named = Omit<Compared, 'found'>

interface Looked {
  readonly kind: NamespaceKind
  readonly facts: KernelFacts
  readonly daemon: KernelFacts
}

/**
 * By what everybody may read, for a daemon that may not look at another user's process (CAP_SYS_PTRACE): the process's
 * numbers in nested namespaces, its network devices, the root of its mounts. Null where that tells nothing.
 */
function indirectly(compared: Named, { kind, facts, daemon }: Looked): Compared | null {
  switch (kind) {
    case 'pid': {
      const [inside, own] = [depthOf(facts), depthOf(daemon)]
      if (inside === null || own === null) return null
      return told(compared, { file: 'status NSpid', holds: inside > own })
    }
    case 'net': {
      const [inside, own] = [facts.networkInode, daemon.networkInode]
      if (!('value' in inside) || !('value' in own)) return null
      return told(compared, { file: 'net/dev, its inode', holds: inside.value !== own.value })
    }
    case 'mnt': {
      const [inside, own] = [rootOf(facts), rootOf(daemon)]
      if (inside === null || own === null) return null
      return told(compared, { file: 'mountinfo, its root', holds: inside !== own })
    }
    default:
      return null
  }
}

function told(compared: Named, { file, holds }: { file: string; holds: boolean }): Compared {
  return { ...compared, file, found: { effective: holds ? 'its own' : "the daemon's", holds } }
}

function depthOf({ status }: KernelFacts): number | null {
  const numbers = 'value' in status ? parseNumbers(parseStatus(status.value).get('NSpid')) : null
  return numbers === null || numbers.length === 0 ? null : numbers.length
}

function rootOf({ mounts }: KernelFacts): string | null {
  const lines = 'value' in mounts ? parseMountinfo(mounts.value) : null
  return lines?.find(({ at }) => at === '/')?.device ?? null
}
