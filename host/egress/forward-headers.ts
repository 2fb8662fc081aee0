import { canonicalHost, hostInUrl } from './canonical-host.ts'
import type { Target } from './host-rules.ts'
import { readAuthority } from './read-authority.ts'

/** Names and values in turn, as Node and undici give them. */
export type RawHeaders = readonly string[]

/** They belong to one connection (RFC 9110 7.6.1), or to the proxy alone. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What goes on to the server: without what belongs to the connection, and with a `Host` that we wrote. */
export function requestHeaders(raw: RawHeaders, target: Target): string[] {
  const { host, port } = target
  const authority = port === 80 ? hostInUrl(host) : `${hostInUrl(host)}:${port}`
  return ['host', authority, ...endToEnd(raw, 'host')]
}

/** What goes back to the plugin. */
export function responseHeaders(raw: RawHeaders): string[] {
  return endToEnd(raw, null)
}

/** How the request's headers contradict one another or its target, as the end of a sentence; null where they do not. */
export function headerConflict(raw: RawHeaders, target: Target, defaultPort: number): string | null {
  const hosts = valuesOf(raw, 'host')
  const [host] = hosts
  if (host === undefined) return 'has no Host header'
  if (hosts.length > 1) return 'has more than one Host header'
  if (!namesTarget(host, target, defaultPort))
    return 'has a Host header that names another host than its first line'
  const encodings = valuesOf(raw, 'transfer-encoding')
  const lengths = valuesOf(raw, 'content-length')
  if (encodings.length > 0 && lengths.length > 0) return 'has both Content-Length and Transfer-Encoding'
  if (encodings.length > 1 || encodings.some((value) => value.toLowerCase() !== 'chunked'))
    return 'has a Transfer-Encoding other than "chunked"'
  if (lengths.length > 1 || lengths.some((value) => !/^[0-9]{1,15}$/.test(value)))
    return 'has more than one Content-Length, or one that is no number'
  return null
}

export function hasBody(raw: RawHeaders): boolean {
  return valuesOf(raw, 'content-length').length > 0 || valuesOf(raw, 'transfer-encoding').length > 0
}

/** As many bytes as the headers take on the wire. */
export function headerBytes(raw: RawHeaders): number {
  return raw.reduce((sum, part) => sum + part.length + 2, 0)
}

function namesTarget(host: string, target: Target, defaultPort: number): boolean {
  const named = readAuthority(host, defaultPort)
  return !('refused' in named) && named.host.text === target.host.text && named.port === target.port
}

/** Whether a `Host` of CONNECT names the host: some clients leave the port away there. */
export function namesHost(host: string, target: Target): boolean {
  const alone = canonicalHost(host)
  return namesTarget(host, target, target.port) || ('text' in alone && alone.text === target.host.text)
}

export function valuesOf(raw: RawHeaders, name: string): string[] {
  return raw
    .filter((_, at) => at % 2 === 1 && raw[at - 1]!.toLowerCase() === name)
    .map((value) => value.trim())
}

function endToEnd(raw: RawHeaders, alsoDropped: string | null): string[] {
  const named = valuesOf(raw, 'connection').flatMap((value) => value.toLowerCase().split(/\s*,\s*/))
  const dropped = new Set(
    [...named, alsoDropped].filter((name) => name !== null && name !== 'content-length'),
  )
  const kept: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase()
    if (!HOP_BY_HOP.has(name) && !dropped.has(name)) kept.push(raw[at]!, raw[at + 1]!)
  }
  return kept
}
