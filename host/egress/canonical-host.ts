import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

/** A host in the one spelling that rules, the audit log and the `Host` header use. */
export interface CanonicalHost {
  readonly kind: 'name' | 'ipv4' | 'ipv6'
  /** Lower case, punycode, no trailing dot; an address in its shortest form, IPv6 without brackets. */
  readonly text: string
}

export interface Refused {
  /** Why, as the end of a sentence that names the host. */
  readonly refused: string
}

/** RFC 1035 2.3.4, without the trailing dot. */
const MAX_NAME_CHARS = 253
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
/** Control characters, blanks, and all that ends or begins another part of a URL. */
const NO_HOST = /[\u0000-\u0020\u007f%@/\\?#:[\]<>^|"`{}*]/
const ASCII = /^[\u0000-\u007f]*$/
/** Resolvers read such a last label as part of an IPv4 address, in decimal, octal or hexadecimal (inet_aton(3)). */
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/

/** Reads a host as a client wrote it; IPv6 in brackets. What could be read in two ways is refused. */
export function canonicalHost(written: string): CanonicalHost | Refused {
  if (written.startsWith('[')) return bracketed(written)
  if (NO_HOST.test(written)) return { refused: 'holds a character that no host has' }
  const ascii = toAscii(written.toLowerCase())
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  if (name === '') return { refused: written === '' ? 'is empty' : 'is no host name' }
  const labels = name.split('.')
  if (NUMBER.test(labels.at(-1)!)) {
    if (isIPv4(name)) return { kind: 'ipv4', text: name }
    return { refused: 'is read as different addresses by different programs; write four decimal numbers' }
  }
  const isName = name.length <= MAX_NAME_CHARS && labels.every((label) => LABEL.test(label))
  return isName ? { kind: 'name', text: name } : { refused: 'is no host name' }
}

/** As it stands in a URL or a `Host` header. */
export function hostInUrl({ kind, text }: CanonicalHost): string {
  return kind === 'ipv6' ? `[${text}]` : text
}

/** An IPv4 or IPv6 address, as the system writes it, in its canonical form; null for anything else. */
export function canonicalAddress(text: string): CanonicalHost | null {
  const host = canonicalHost(text.includes(':') ? `[${text}]` : text)
  return 'refused' in host || host.kind === 'name' ? null : host
}

/** The eight 16-bit groups of a valid IPv6 address in the form that `canonicalHost` gives. */
export function groupsOf(ipv6: string): number[] {
  const [head = '', tail] = ipv6.split('::')
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  if (tail === undefined) return read(head)
  const [front, back] = [read(head), read(tail)]
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
}

/** Of two groups. */
function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function bracketed(written: string): CanonicalHost | Refused {
  const inner = written.slice(1, -1)
  // A zone (`%eth0`) names an interface of this machine.
  if (!written.endsWith(']') || !isIPv6(inner) || inner.includes('%'))
    return { refused: 'is no IPv6 address' }
  const text = new URL(`http://${written}`).hostname.slice(1, -1)
  const groups = groupsOf(text)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  return isMapped ? { kind: 'ipv4', text: ipv4Of(groups[6]!, groups[7]!) } : { kind: 'ipv6', text }
}

/** UTS #46, as browsers and `fetch` do it; empty where a name has no such form. */
function toAscii(name: string): string {
  return ASCII.test(name) ? name : domainToASCII(name)
}
