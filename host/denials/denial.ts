import type { DenialDetails, DenialKind } from '../../src/contract/denial.ts'
import type { ManifestRuntime } from '../../src/contract/manifest.ts'
import { parsePermission, type Permission } from '../../src/contract/permission.ts'
import type { PermissionInfo } from '../../src/contract/plugin-info.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { NotHeld } from '../approvals/plugin-rights.ts'
import { canonicalHost } from '../egress/canonical-host.ts'
import { parseHostRules, ruleFor } from '../egress/host-rules.ts'
import { contains } from '../sandbox/paths.ts'
import { accessKey, type Access, type RuntimeFeature } from './access.ts'

/** What a process was given, and the places that its paths are spelt by. All paths canonical and absolute. */
export interface Reach {
  readonly pluginId: string
  readonly workspace: string
  readonly pluginDir: string
  readonly dataDir: string
  /** It reads these and writes those, its own folders among them. */
  readonly readPaths: readonly string[]
  readonly writePaths: readonly string[]
  /** The daemon's own: no permission opens them, but for the plugin's own folder among them. */
  readonly closedToReaders: readonly string[]
  readonly closedToWriters: readonly string[]
  /** Folders that the host's own do not show through. */
  readonly privateFolders: readonly string[]
  /** Rules; empty where it has no network. */
  readonly network: readonly string[]
  readonly process: boolean
  readonly runtime: Readonly<Partial<Record<keyof ManifestRuntime | RuntimeFeature, unknown>>>
  readonly declared: readonly Permission[]
  /** What of it is not held, or not whole, and why. */
  readonly notHeld: readonly NotHeld[]
  /** What became of each declared permission that is held, or a part of it. */
  readonly permissions: readonly PermissionInfo[]
}

/** One thing that a plugin reached for and was not given. */
export interface Denial {
  readonly kind: DenialKind
  /** See `accessKey`. */
  readonly key: string
  /** One sentence, without a full stop: what is not granted, and the line that would grant it. */
  readonly sentence: string
  readonly details: DenialDetails
}

/** Where nobody said which. */
const DEFAULT_PORT = 443

const NEVER: Partial<Record<RuntimeFeature, string>> = {
  wasi: 'WASI is granted to no plugin',
  threads: 'a worker thread is granted to no plugin; context.parallel runs tasks on threads',
  openssl_store: "OpenSSL's store is granted to no plugin",
  symlinks: 'making a symbolic link is granted to no plugin',
}

/** Whether the host itself gave what was reached for: then no word of the process makes a denial of it. */
export function isGranted(access: Access, reach: Reach): boolean {
  switch (access.kind) {
    case 'fs_read':
      return [...reach.readPaths, ...reach.writePaths].some((root) => contains(root, access.path))
    case 'fs_write':
      return reach.writePaths.some((root) => contains(root, access.path))
    case 'network':
      return reach.network.length > 0
    case 'process':
      return reach.process
    case 'env':
      // Nothing refuses one: what was not granted is just not set.
      return true
    case 'runtime':
      return reach.runtime[access.feature] === true
  }
}

/** Whether a path lies where every process has a folder of its own. */
export function isPrivate(path: string, { workspace, privateFolders }: Reach): boolean {
  return !contains(workspace, path) && privateFolders.some((folder) => contains(folder, path))
}

/**
 * Says what is missing, for whoever writes the manifest. Asked by everybody who refuses a plugin something: the host
 * for files and features, the network's proxy for hosts. Whether it is granted is for the asker to know.
 */
export function describeDenial(access: Access, reach: Reach): Denial {
  if (access.kind === 'runtime') return describeFeature(access, reach)
  const missing = permissionFor(access, reach)
  const resource = resourceOf(access)
  if (missing === null) {
    const sentence = `${verbOf(access)} ${quoteText(resource)} is granted to no plugin`
    return toDenial(access, sentence, { missing: [], resource, line: null })
  }
  const declared = declaredSentence(access, reach)
  // Asked for already: then no line of the manifest is missing.
  if (declared !== null) return toDenial(access, declared, { missing: [missing], resource, line: null })
  const line = lineWith(reach.declared, missing)
  return toDenial(access, grantSentence(missing), { missing: [missing], resource, line })
}

/** The same for what the proxy refused, which knows best what is missing and why. */
export function describeRefusal(
  access: Extract<Access, { kind: 'network' }>,
  refusal: { readonly message: string; readonly missing: string | null },
  reach: Reach,
): Denial {
  const { missing } = refusal
  const resource = resourceOf(access)
  if (missing === null || 'error' in parsePermission(missing))
    return toDenial(access, refusal.message, { missing: [], resource, line: null })
  const declared = declaredSentence(accessTo(missing), reach)
  if (declared !== null)
    return toDenial(access, `${refusal.message}; ${declared}`, { missing: [missing], resource, line: null })
  const line = lineWith(reach.declared, missing)
  const isNamed = refusal.message.startsWith(missing.slice('network:'.length))
  const sentence = isNamed ? grantSentence(missing) : `${refusal.message}; ${toAllow(missing)}`
  return toDenial(access, sentence, { missing: [missing], resource, line })
}

/** What a permission of one host and port would open. */
function accessTo(missing: string): Extract<Access, { kind: 'network' }> {
  const [, host = '', port] = /^network:(.*?)(?::(\d+))?$/.exec(missing) ?? []
  return { kind: 'network', host, port: port === undefined ? null : Number(port) }
}

function grantSentence(missing: string): string {
  return `${missing} is not granted; ${toAllow(missing)}`
}

function toAllow(missing: string): string {
  return `to allow it add permissions = [${JSON.stringify(missing)}]`
}

function toDenial(
  access: Access,
  sentence: string,
  { missing, resource, line }: { missing: readonly string[]; resource: string; line: string | null },
): Denial {
  const { kind } = access
  const table = line === null ? null : kind === 'runtime' ? 'runtime' : 'permissions'
  return {
    kind,
    key: accessKey(access),
    sentence,
    details: { missing, kind, resource, manifest_line: line, manifest_table: table },
  }
}

function describeFeature(access: Extract<Access, { kind: 'runtime' }>, reach: Reach): Denial {
  const { feature } = access
  const never = NEVER[feature]
  if (never !== undefined) {
    const details = { missing: [], resource: feature, line: null }
    return toDenial(access, never, details)
  }
  const line = `${feature} = true`
  const right = `runtime:${feature}`
  const declared = notHeldSentence(right, reach)
  if (declared !== null)
    return toDenial(access, declared, { missing: [right], resource: feature, line: null })
  const sentence = `${right} is not granted; to allow it add ${line} under [runtime]`
  return toDenial(access, sentence, { missing: [right], resource: feature, line })
}

/** The manifest asks for it already: then no line is missing in it. */
function declaredSentence(access: Access, reach: Reach): string | null {
  const declared = reach.declared.find((permission) => covers(permission, access, reach))
  if (declared === undefined) return null
  const notHeld = notHeldSentence(declared.declared, reach)
  if (notHeld !== null) return notHeld
  const info = reach.permissions.find((known) => known.declared === declared.declared)
  if (info === undefined || info.refused === null) return null
  return `${declared.declared} is declared and was not granted: ${info.refused}`
}

function notHeldSentence(declared: string, { notHeld, pluginId }: Reach): string | null {
  const found = notHeld.find((one) => one.declared === declared)
  if (found === undefined) return null
  if (found.isApproved) return `${declared} is declared and not held: ${found.reason}`
  return `${declared} is declared and not approved; to allow it run phantom approve ${pluginId}`
}

/** Whether a permission is about what was reached for. */
export function covers(permission: Permission, access: Access, reach: Reach): boolean {
  if (permission.kind === 'fs_read' || permission.kind === 'fs_write') {
    if (access.kind !== 'fs_read' && access.kind !== 'fs_write') return false
    if (access.kind === 'fs_write' && permission.kind === 'fs_read') return false
    return contains(anchored(permission.path, reach), access.path)
  }
  if (permission.kind === 'env') return access.kind === 'env' && permission.variables.includes(access.name)
  if (permission.kind === 'network') return access.kind === 'network' && allowsHost(permission.hosts, access)
  return access.kind === 'process'
}

function allowsHost(rules: readonly string[], { host, port }: Extract<Access, { kind: 'network' }>): boolean {
  const target = canonicalHost(host)
  if ('refused' in target) return false
  return ruleFor(parseHostRules(rules), { host: target, port: port ?? DEFAULT_PORT }) !== null
}

/** Where a path of a permission leads, by its letters alone. */
export function anchored(path: string, reach: Reach): string {
  const roots = {
    '${workspace}': reach.workspace,
    '${plugin_dir}': reach.pluginDir,
    '${data_dir}': reach.dataDir,
  }
  const root = Object.entries(roots).find(([name]) => path.startsWith(name))
  const joined = root === undefined ? path : root[1] + path.slice(root[0].length)
  const absolute = joined.startsWith('/') ? joined : `${reach.workspace}/${joined}`
  return absolute.replace(/\/(?:\.?\/)+/g, '/').replace(/\/\.?$/, '')
}

/** The exact string that would have to stand in the manifest; null where none may. */
function permissionFor(access: Exclude<Access, { kind: 'runtime' }>, reach: Reach): string | null {
  const text = spell(access, reach)
  return text === null || 'error' in parsePermission(text) ? null : text
}

function spell(access: Exclude<Access, { kind: 'runtime' }>, reach: Reach): string | null {
  switch (access.kind) {
    case 'fs_read':
    case 'fs_write':
      return isClosed(access, reach) ? null : `${access.kind}:${spellPath(access.path, reach)}`
    case 'network':
      return spellHost(access.host, access.port)
    case 'env':
      return `env:${access.name}`
    case 'process':
      return 'process'
  }
}

/** A plugin's own folder stays read-only, whatever is asked for. */
function isClosed({ kind, path }: Extract<Access, { path: string }>, reach: Reach): boolean {
  const { pluginDir, dataDir, closedToReaders, closedToWriters } = reach
  if (contains(dataDir, path)) return false
  if (contains(pluginDir, path)) return kind === 'fs_write'
  return (kind === 'fs_read' ? closedToReaders : closedToWriters).some((folder) => contains(folder, path))
}

/** As an author would write it: the same manifest is right in every workspace. */
function spellPath(path: string, { workspace, dataDir }: Reach): string {
  if (contains(dataDir, path)) return `\${data_dir}${path.slice(dataDir.length)}`
  if (!contains(workspace, path)) return path
  return path === workspace ? '.' : `./${path.slice(workspace.length + 1)}`
}

/** Ports of `http:` and `https:` go without saying. */
function spellHost(host: string, port: number | null): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host.toLowerCase()
  return `network:${name}${port === null || port === 80 || port === 443 ? '' : `:${port}`}`
}

function lineWith(declared: readonly Permission[], missing: string): string {
  const all = [...new Set([...declared.map((permission) => permission.declared), missing])]
  return `permissions = [${all.map((text) => JSON.stringify(text)).join(', ')}]`
}

export function resourceOf(access: Access): string {
  switch (access.kind) {
    case 'fs_read':
    case 'fs_write':
      return access.path
    case 'network':
      return access.port === null ? access.host : `${access.host}:${access.port}`
    case 'env':
      return access.name
    case 'process':
      return access.program
    case 'runtime':
      return access.feature
  }
}

function verbOf({ kind }: Access): string {
  if (kind === 'fs_read') return 'reading'
  return kind === 'fs_write' ? 'writing' : 'reaching'
}
