import { BlockList } from 'node:net'
import type { CanonicalHost } from './canonical-host.ts'

/** Why an address is not a place in the public internet, in words. */
export interface AddressRefusal {
  readonly what: string
  /** Whether a manifest may name it: some are no single machine, or are another name of this one. */
  readonly isGrantable: boolean
}

type Range = readonly [network: string, prefix: number, what: string, isGrantable?: false]

/** https://www.iana.org/assignments/iana-ipv4-special-registry, and what clouds answer their machines on. */
const IPV4: readonly Range[] = [
  ['169.254.169.254', 32, 'the metadata service of clouds'],
  ['168.63.129.16', 32, 'the metadata service of Azure'],
  ['100.100.100.200', 32, 'the metadata service of Alibaba Cloud'],
  ['192.0.0.192', 32, 'the metadata service of Oracle Cloud'],
  ['0.0.0.0', 8, 'an unspecified address', false],
  ['127.0.0.0', 8, 'a loopback address'],
  ['10.0.0.0', 8, 'a private address'],
  ['172.16.0.0', 12, 'a private address'],
  ['192.168.0.0', 16, 'a private address'],
  ['100.64.0.0', 10, "an address of a carrier's own network"],
  ['169.254.0.0', 16, 'a link-local address'],
  ['192.0.0.0', 24, 'an address of the protocols themselves'],
  ['192.0.2.0', 24, 'an address for documentation'],
  ['198.51.100.0', 24, 'an address for documentation'],
  ['203.0.113.0', 24, 'an address for documentation'],
  ['192.88.99.0', 24, 'a relay into IPv6'],
  ['198.18.0.0', 15, 'an address for benchmarks'],
  ['224.0.0.0', 4, 'a multicast address', false],
  ['255.255.255.255', 32, 'the broadcast address', false],
  ['240.0.0.0', 4, 'a reserved address', false],
]

/** https://www.iana.org/assignments/iana-ipv6-special-registry; whatever lies outside 2000::/3 is not global. */
const IPV6: readonly Range[] = [
  ['fd00:ec2::254', 128, 'the metadata service of Amazon'],
  ['fd20:ce::254', 128, 'the metadata service of Google Cloud'],
  ['::', 128, 'an unspecified address', false],
  ['::1', 128, 'a loopback address'],
  ['::', 96, 'an IPv4 address in IPv6'],
  ['64:ff9b::', 96, 'an IPv4 address behind NAT64'],
  ['64:ff9b:1::', 48, 'an IPv4 address behind NAT64'],
  ['fc00::', 7, 'a private address'],
  ['fe80::', 10, 'a link-local address'],
  ['ff00::', 8, 'a multicast address', false],
  ['2002::', 16, 'an IPv4 address in 6to4'],
  ['2001::', 32, 'an IPv4 address in Teredo'],
  ['2001:db8::', 32, 'an address for documentation'],
  ['3fff::', 20, 'an address for documentation'],
  ['2001::', 23, 'an address of the protocols themselves'],
]
const OUTSIDE: AddressRefusal = { what: 'an address outside of the public internet', isGrantable: true }

const TABLES = { ipv4: tableOf(IPV4, 'ipv4'), ipv6: tableOf(IPV6, 'ipv6') }
const GLOBAL_IPV6 = blockListOf('2000::', 3, 'ipv6')
/** The interface identifier of ISATAP (RFC 5214 6.1) holds an IPv4 address. */
const ISATAP = /(?:^|:)(?:0|200)?:?5efe:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/

/** Why an address must not be dialled unless the manifest names it; null for one of the public internet. */
export function refusalOfAddress({ kind, text }: CanonicalHost): AddressRefusal | null {
  if (kind === 'name') return OUTSIDE
  const found = TABLES[kind].find(({ list }) => list.check(text, kind))
  if (found !== undefined) return found
  if (kind === 'ipv4') return null
  if (ISATAP.test(text)) return { what: 'an IPv4 address in ISATAP', isGrantable: true }
  return GLOBAL_IPV6.check(text, 'ipv6') ? null : OUTSIDE
}

function tableOf(ranges: readonly Range[], family: 'ipv4' | 'ipv6') {
  return ranges.map(([network, prefix, what, isGrantable = true]) => ({
    list: blockListOf(network, prefix, family),
    what,
    isGrantable,
  }))
}

function blockListOf(network: string, prefix: number, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  list.addSubnet(network, prefix, family)
  return list
}
