import type { Compared } from './compared.ts'
import type { Expected } from './expected.ts'
import type { KernelFacts } from './read-facts.ts'

export function compareNamespaces(
  expected: Expected,
  facts: KernelFacts,
  daemon: Pick<KernelFacts, 'namespaces'>,
): Compared[] {
  return expected.namespaces.map((kind) => {
    const found = facts.namespaces.get(kind) ?? { unreadable: 'not looked at' }
    const own = daemon.namespaces.get(kind) ?? { unreadable: 'not looked at' }
    const compared = {
      name: `namespace.${kind}`,
      declared: 'its own',
      mechanism: 'namespace',
      file: `ns/${kind}`,
    } as const
    if (!('value' in found)) return { ...compared, found: found.unreadable }
    if (!('value' in own)) return { ...compared, found: `the daemon's own: ${own.unreadable}` }
    // An odd text is nobody's namespace: it must not pass for another one.
    const isOne = new RegExp(`^${kind}:\\[\\d+\\]$`).test(found.value)
    const holds = isOne && found.value !== own.value
    const effective = holds ? `its own, ${found.value}` : isOne ? `the daemon's, ${found.value}` : found.value
    return { ...compared, found: { effective, holds } }
  })
}
