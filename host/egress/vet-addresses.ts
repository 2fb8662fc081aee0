import { refusalOfAddress } from './address-class.ts'
import { canonicalAddress, hostInUrl, type CanonicalHost } from './canonical-host.ts'
import { namesAddress, type HostRule, type Target } from './host-rules.ts'

export interface AddressQuestion {
  readonly target: Target
  readonly rules: readonly HostRule[]
  /** All that the target's name resolved to, as the resolver wrote it. */
  readonly resolved: readonly string[]
  /** Those of this machine's interfaces. */
  readonly own: ReadonlySet<string>
}

export type AddressAnswer =
  | { readonly dial: readonly CanonicalHost[] }
  | {
      /** Why, as the end of a sentence that names the host. */
      readonly refused: string
      /** The permission that would allow it; null where none does. */
      readonly missing: string | null
    }

/**
 * Which addresses may be dialled. One bad one refuses the name: what resolves to a private and to a public address is
 * a name of somebody who tries.
 */
export function vetAddresses({ target, rules, resolved, own }: AddressQuestion): AddressAnswer {
  const dial: CanonicalHost[] = []
  for (const text of resolved) {
    const address = canonicalAddress(text)
    if (address === null) return { refused: 'resolves to what is no address', missing: null }
    const problem = problemOf(address, own)
    if (problem !== null && !(problem.isGrantable && namesAddress(rules, address, target.port))) {
      const isName = target.host.kind === 'name'
      return {
        refused: `${isName ? `resolves to ${address.text}, ` : 'is '}${problem.what}`,
        missing: problem.isGrantable ? `network:${hostInUrl(address)}:${target.port}` : null,
      }
    }
    dial.push(address)
  }
  if (dial.length === 0) return { refused: 'resolves to no address', missing: null }
  return { dial }
}

function problemOf(address: CanonicalHost, own: ReadonlySet<string>) {
  const known = refusalOfAddress(address)
  if (known !== null) return known
  return own.has(address.text) ? { what: 'an address of this machine', isGrantable: true } : null
}
