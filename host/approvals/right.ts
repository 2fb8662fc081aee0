import { createHash } from 'node:crypto'
import type { Manifest } from '../../src/contract/manifest.ts'
import { parsePermission, type Permission } from '../../src/contract/permission.ts'
import { contains } from '../sandbox/paths.ts'

/** What a manifest's `[runtime]` may ask for beyond permissions: each opens a part of the inner layer. */
const CAPABILITIES = ['eval', 'addons', 'sqlite', 'inspector', 'ffi'] as const
export type Capability = (typeof CAPABILITIES)[number]

/**
 * One right, the smallest thing that can be approved or refused, in one spelling: paths absolute or begun by a
 * variable, no segment too many; one host, one variable. `process` and nothing else has an empty value.
 */
export interface Right {
  readonly kind: Permission['kind'] | 'runtime'
  readonly value: string
}

interface HostRight {
  readonly host: string
  readonly ports: readonly number[]
}

/** A host without a port. */
const WEB_PORTS: readonly number[] = [80, 443]

/** `fs_read:/srv/data`, `process`, `runtime:eval`. */
export function rightText({ kind, value }: Right): string {
  return value === '' ? kind : `${kind}:${value}`
}

/** All that a manifest asks for, each right once, in the order of their texts. */
export function rightsOf(manifest: Pick<Manifest, 'permissions' | 'runtime'>): Right[] {
  const { permissions, runtime } = manifest
  return sorted([...permissions.flatMap(rightsOfPermission), ...capabilitiesOf(runtime).map(capabilityRight)])
}

export function capabilitiesOf(runtime: Manifest['runtime']): Capability[] {
  const flags: Partial<Record<Capability, unknown>> = { ...runtime }
  return CAPABILITIES.filter((name) => flags[name] === true)
}

export function rightsOfPermission(permission: Permission): Right[] {
  const { kind } = permission
  switch (kind) {
    case 'fs_read':
    case 'fs_write':
      return [{ kind, value: canonicalSpelling(permission.path) }]
    case 'network':
      return permission.hosts.map((value) => ({ kind, value }))
    case 'env':
      return permission.variables.map((value) => ({ kind, value }))
    case 'process':
      return [{ kind, value: '' }]
  }
}

/** Reads rights as people write them: a permission string may name several. */
export function parseRights(text: string): Right[] | { error: string } {
  const capability = CAPABILITIES.find((name) => text === `runtime:${name}`)
  if (capability !== undefined) return [capabilityRight(capability)]
  const permission = parsePermission(text)
  return 'error' in permission ? permission : rightsOfPermission(permission)
}

export function sorted(rights: readonly Right[]): Right[] {
  const byText = new Map(rights.map((right) => [rightText(right), right]))
  return [...byText].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, right]) => right)
}

/** Of what is asked: who approves it approves this and nothing else. */
export function rightsDigest(pluginId: string, rights: readonly Right[]): string {
  const text = JSON.stringify({ plugin_id: pluginId, rights: sorted(rights).map(rightText) })
  return createHash('sha256').update(text).digest('hex')
}

/** Whether whoever holds `wide` holds `narrow` as well. */
export function covers(wide: Right, narrow: Right): boolean {
  const both = intersect(wide, narrow)
  return both !== null && rightText(both) === rightText(narrow)
}

/** What both hold; null for nothing. A right to write is one to read as well. */
function intersect(one: Right, other: Right): Right | null {
  if (isPath(one) && isPath(other)) return intersectPaths(one, other)
  if (one.kind !== other.kind) return null
  if (one.kind === 'network') return intersectHosts(one.value, other.value)
  return one.value === other.value ? one : null
}

/** What a list holds of one right: as much of it as any entry does, nothing twice. */
export function heldOf(right: Right, list: readonly Right[]): Right[] {
  const parts = sorted(list.flatMap((entry) => intersect(right, entry) ?? []))
  return parts.filter((part) => !parts.some((wider) => wider !== part && covers(wider, part)))
}

/** Whether some of `right` lies in `refused`, which is taken at its widest: a host without a port is all its ports. */
export function touches(right: Right, refused: Right): boolean {
  if (isPath(right) && isPath(refused)) {
    // Who may not read a place may not write it either.
    if (refused.kind === 'fs_write' && right.kind === 'fs_read') return false
    return contains(right.value, refused.value) || contains(refused.value, right.value)
  }
  if (right.kind !== refused.kind) return false
  if (right.kind !== 'network') return right.value === refused.value
  const [asked, taken] = [splitHost(right.value), splitHost(refused.value)]
  const isAny = asked.host === '*' || taken.host === '*'
  if (!isAny && hostBoth(asked.host, taken.host) === null) return false
  return !hasPort(refused.value) || asked.ports.some((port) => taken.ports.includes(port))
}

function isPath(right: Right): boolean {
  return right.kind === 'fs_read' || right.kind === 'fs_write'
}

/** As the host takes rights: one permission for each. Capabilities are none. */
export function toPermission(right: Right): Permission | null {
  if (right.kind === 'runtime') return null
  const permission = parsePermission(rightText(right))
  return 'error' in permission ? null : permission
}

function capabilityRight(name: Capability): Right {
  return { kind: 'runtime', value: name }
}

function canonicalSpelling(written: string): string {
  const variable = /^\$\{[^}/]*\}(?=\/|$)/.exec(written)?.[0]
  const rest = written.slice(variable?.length ?? 0)
  const segments = rest.split('/').filter((segment) => segment !== '' && segment !== '.')
  const isAbsolute = variable === undefined && written.startsWith('/')
  const joined = segments.map((segment) => `/${segment}`).join('')
  if (isAbsolute) return joined === '' ? '/' : joined
  return `${variable ?? '${workspace}'}${joined}`
}

function intersectPaths(one: Right, other: Right): Right | null {
  const kind = one.kind === 'fs_write' && other.kind === 'fs_write' ? 'fs_write' : 'fs_read'
  if (contains(one.value, other.value)) return { kind, value: other.value }
  return contains(other.value, one.value) ? { kind, value: one.value } : null
}

function intersectHosts(one: string, other: string): Right | null {
  const [left, right] = [splitHost(one), splitHost(other)]
  const host = hostBoth(left.host, right.host)
  const ports = left.ports.filter((port) => right.ports.includes(port))
  if (host === null || ports.length === 0) return null
  const [port] = ports
  return { kind: 'network', value: ports.length === WEB_PORTS.length ? host : `${host}:${port}` }
}

function hasPort(value: string): boolean {
  return /:[0-9]+$/.test(value)
}

/** IPv6 stands in brackets, so the last colon outside of them is that of the port. */
export function splitHost(value: string): HostRight {
  const port = /(?<=\]|^[^[\]]*):([0-9]+)$/.exec(value)
  if (port === null) return { host: value, ports: WEB_PORTS }
  return { host: value.slice(0, port.index), ports: [Number(port[1])] }
}

function hostBoth(one: string, other: string): string | null {
  if (isWithin(one, other)) return one
  return isWithin(other, one) ? other : null
}

/**
 * Whether each host that `pattern` names is one that `outer` names. An address lies in no pattern, not in `*` either:
 * to name one opens it even where it is of a private network, which `*` does not.
 */
function isWithin(pattern: string, outer: string): boolean {
  if (pattern === outer) return true
  if (isAddress(pattern)) return false
  return outer === '*' || (outer.startsWith('*.') && pattern.endsWith(outer.slice(1)))
}

export function isAddress(host: string): boolean {
  return host.startsWith('[') || /^[0-9.]+$/.test(host)
}
