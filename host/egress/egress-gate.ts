import { networkInterfaces } from 'node:os'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { canonicalAddress, hostInUrl, type CanonicalHost } from './canonical-host.ts'
import type { EgressRefusal } from './egress-meter.ts'
import { isDefaultPort, ruleFor, type HostRule, type Target } from './host-rules.ts'
import type { ResolveName } from './name-resolver.ts'
import { vetAddresses } from './vet-addresses.ts'

export type Admission = { readonly dial: readonly CanonicalHost[] } | { readonly refusal: EgressRefusal }

const OWN_ADDRESSES_MS = 5_000

/** Decides where one plugin may connect to: its rules, then every address of the host. */
export class EgressGate {
  readonly #rules: readonly HostRule[]
  readonly #resolve: ResolveName
  #own: ReadonlySet<string> = new Set()
  #ownUntilMs = -Infinity

  constructor(rules: readonly HostRule[], resolve: ResolveName) {
    this.#rules = rules
    this.#resolve = resolve
  }

  async admit(target: Target): Promise<Admission> {
    const name = nameOf(target)
    if (ruleFor(this.#rules, target) === null) {
      const missing = permissionFor(target)
      return refuse(
        target,
        'not_granted',
        `${name} is not granted; the permission for it is "${missing}"`,
        missing,
      )
    }
    const resolved = await this.#addressesOf(target.host)
    if (typeof resolved === 'string')
      return refuse(target, 'unresolved', `${name} cannot be looked up: ${resolved}`, null)
    const answer = vetAddresses({ target, rules: this.#rules, resolved, own: this.#ownAddresses() })
    if ('dial' in answer) return answer
    const { refused, missing } = answer
    const remedy =
      missing === null ? 'it is granted to nobody' : `only a permission by address allows that, "${missing}"`
    return refuse(target, 'address', `${name} ${refused}; ${remedy}`, missing)
  }

  async #addressesOf(host: CanonicalHost): Promise<readonly string[] | string> {
    if (host.kind !== 'name') return [host.text]
    try {
      return await this.#resolve(host.text)
    } catch (error) {
      return messageOf(error)
    }
  }

  #ownAddresses(): ReadonlySet<string> {
    const nowMs = performance.now()
    if (nowMs < this.#ownUntilMs) return this.#own
    const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    this.#own = new Set(interfaces.flatMap(({ address }) => canonicalAddress(address)?.text ?? []))
    this.#ownUntilMs = nowMs + OWN_ADDRESSES_MS
    return this.#own
  }
}

/** As it is named to people: without a port that is implied. */
export function nameOf({ host, port }: Target): string {
  return isDefaultPort(port) ? hostInUrl(host) : `${hostInUrl(host)}:${port}`
}

function permissionFor(target: Target): string {
  return `network:${nameOf(target)}`
}

function refuse(
  { host, port }: Target,
  reason: EgressRefusal['reason'],
  message: string,
  missing: string | null,
): Admission {
  return { refusal: { reason, host: hostInUrl(host), port, message, missing } }
}
