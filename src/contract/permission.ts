import { nearestName } from './manifest/nearest-name.ts'
import { hasControlCharacters, quoteText } from './quote-text.ts'

/**
 * A permission string of a manifest, parsed. The kinds are the specification's.
 *
 * Semantics: a right that no string asks for is not held; an empty list of permissions holds nothing. An empty
 * value (`fs_read:`, `env:`) is refused, it never means "all". `*` is a host alone: `network:*.example.org` means
 * every name below that one and not that one itself, `network:*` every host; elsewhere it is refused. A host without
 * a port means ports 80 and 443, never all. A path means what lies below it, too; `fs_read:/` is all that a machine
 * has but for what is never granted. `process` takes no value. Asking is not holding: what is asked for is held once
 * it is approved, and as far as the administrator's policy leaves it.
 */
export type Permission =
  | {
      readonly kind: 'fs_read' | 'fs_write'
      readonly declared: string
      /** As written: absolute, relative to the workspace, or begun by one of `PATH_VARIABLES`. */
      readonly path: string
    }
  /** Lower-case `host` or `host:port`; IPv6 in brackets. */
  | { readonly kind: 'network'; readonly declared: string; readonly hosts: readonly string[] }
  | { readonly kind: 'env'; readonly declared: string; readonly variables: readonly string[] }
  | { readonly kind: 'process'; readonly declared: string }

const PERMISSION_KINDS = ['fs_read', 'fs_write', 'network', 'env', 'process'] as const

/** What a path may begin with; the host puts the folder of the call or of the plugin there. */
const PATH_VARIABLES = ['${workspace}', '${plugin_dir}', '${data_dir}'] as const

/** Paths, hosts and variables of one manifest. Each is shown to whoever approves it, and weighed against each other. */
export const MAX_RIGHTS = 256
/** Longer than any path that Linux opens (PATH_MAX). */
const MAX_PERMISSION_CHARS = 4096
const HOST_AND_PORT = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::([0-9]{1,5}))?$/
/** They show other processes, the kernel and raw devices; a plugin gets its own of each. */
const SYSTEM_FOLDERS = ['proc', 'sys', 'dev']
/**
 * Variables that change how the runner itself is loaded and behaves, before any plugin code: the dynamic loader,
 * glibc (ld.so(8)), libuv, OpenSSL's configuration, Node, and our own.
 */
const LOADER_VARIABLES = /^(?:(?:LD|MALLOC|NODE|OPENSSL|PHANTOM|UV)_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH)$/

/** How many rights a permission asks for. */
export function countRights(permission: Permission): number {
  if (permission.kind === 'network') return permission.hosts.length
  return permission.kind === 'env' ? permission.variables.length : 1
}

/** Whether a variable steers how a plugin's process is loaded; such are passed to no plugin. */
export function isLoaderVariable(name: string): boolean {
  return LOADER_VARIABLES.test(name)
}

/** Reads one permission string; the error is a whole sentence for its author. */
export function parsePermission(text: string): Permission | { error: string } {
  const colon = text.indexOf(':')
  const kind = colon === -1 ? text : text.slice(0, colon)
  const value = colon === -1 ? null : text.slice(colon + 1)
  const problem = textProblem(text) ?? kindProblem(kind) ?? valueProblem(kind, value)
  if (problem !== null) return { error: `Cannot grant ${quoteText(text)}: ${problem}` }
  const declared = text
  switch (kind) {
    case 'fs_read':
    case 'fs_write':
      return { kind, declared, path: value ?? '' }
    case 'network':
      return { kind, declared, hosts: [...new Set(listOf(value).map(normalHost))] }
    case 'env':
      return { kind, declared, variables: [...new Set(listOf(value))] }
    default:
      return { kind: 'process', declared }
  }
}

function textProblem(text: string): string | null {
  if (text === '') return 'it is empty. Write a permission such as "fs_read:./data", or remove it'
  if (text.length > MAX_PERMISSION_CHARS) {
    return `it is ${text.length} characters long, at most ${MAX_PERMISSION_CHARS} are allowed. Shorten it`
  }
  if (!hasControlCharacters(text)) return null
  return 'it holds a control character (a line break, NUL or the like). Remove it'
}

function kindProblem(kind: string): string | null {
  if (PERMISSION_KINDS.some((known) => known === kind)) return null
  const near = nearestName(kind, PERMISSION_KINDS)
  const known = PERMISSION_KINDS.map((name) => `"${name}"`).join(', ')
  return `its kind ${quoteText(kind)} is unknown. ${near === null ? `Use one of ${known}` : `Did you mean "${near}"?`}`
}

function valueProblem(kind: string, value: string | null): string | null {
  if (kind === 'process') return value === null ? null : '"process" takes no value. Write "process"'
  if (kind === 'network') return listProblem('network:api.example.org', value) ?? firstOf(value, hostProblem)
  if (kind === 'env') return listProblem('env:LANG,TZ', value) ?? firstOf(value, variableProblem)
  if (value === null || value === '') return `it names no path. Write one, "${kind}:./data"`
  return pathProblem(value)
}

function pathProblem(path: string): string | null {
  if (path !== path.trim()) return 'its path begins or ends with a blank. Remove the blank'
  if (/[*?]/.test(path))
    return 'wildcards are not allowed in paths. Name the folder: it includes what lies below'
  // Hosts and variables stand in lists, and a path with a comma in it would be one that is not there.
  if (/,\s*(?:\.{0,2}\/|\$\{|~)/.test(path))
    return 'a comma separates no paths. Write a permission for each of them'
  if (path.startsWith('~')) return '"~" is not expanded. Write the path out'
  const variable = /^\$\{[^}/]*\}(?=\/|$)/.exec(path)?.[0]
  const rest = path.slice(variable?.length ?? 0)
  const segments = rest.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..')) return 'its path has a ".." segment. Write the path without it'
  if (variable !== undefined || !path.startsWith('/')) return variableInPathProblem(variable, rest)
  if (SYSTEM_FOLDERS.includes(segments[0] ?? '')) {
    return `/${segments[0]} belongs to the system and is granted to no plugin. Remove the permission`
  }
  return variableInPathProblem(variable, rest)
}

function variableInPathProblem(variable: string | undefined, rest: string): string | null {
  const allowed = PATH_VARIABLES.join(', ')
  if (variable !== undefined && !PATH_VARIABLES.some((known) => known === variable)) {
    const near = nearestName(variable, PATH_VARIABLES)
    const remedy = near === null ? `Use one of ${allowed}` : `Did you mean ${near}?`
    return `the variable ${quoteText(variable)} is unknown. ${remedy}`
  }
  if (!rest.includes('${')) return null
  return `a variable may only be the first part of a path, followed by "/". Begin the path with one of ${allowed}`
}

function listOf(value: string | null): string[] {
  return (value ?? '').split(',').map((item) => item.trim())
}

function listProblem(sample: string, value: string | null): string | null {
  const items = listOf(value)
  if (!items.includes('')) return null
  const found = items.length === 1 ? 'it names nothing after the colon' : 'a name beside a comma is missing'
  return `${found}. Write names with commas between them, "${sample}"`
}

function firstOf(value: string | null, problemOf: (item: string) => string | null): string | null {
  for (const item of listOf(value)) {
    const problem = problemOf(item)
    if (problem !== null) return problem
  }
  return null
}

function variableProblem(name: string): string | null {
  if (name.includes('*')) return 'wildcards are not allowed in variables. Name each variable'
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name)) {
    return `${quoteText(name)} is no name of a variable. Use letters, digits and "_", not a digit first`
  }
  if (!isLoaderVariable(name)) return null
  return `${quoteText(name)} changes how the plugin's process is loaded and is passed to no plugin. Remove it`
}

function hostProblem(host: string): string | null {
  const named = quoteText(host)
  if (host.includes('/')) return `${named} is no host. Write the host alone, without "https://" and path`
  const match = HOST_AND_PORT.exec(host)
  if (match === null) return `${named} is no host. Write "host" or "host:port", an IPv6 address in brackets`
  const [, name = '', port] = match
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    return `the port of ${named} is not between 1 and 65535. Correct the port`
  }
  if (name === '*') return null
  const exact = name.replace(/^\*\./, '')
  if (exact.includes('*')) return `"*" may only be the whole first label in ${named}. Write "*.example.org"`
  const isAddress = name.startsWith('[') ? URL.canParse(`http://${name}`) : isHostName(exact, exact !== name)
  if (isAddress) return null
  return `${named} is no host name or address. Write it as in DNS, "api.example.org", or as "10.0.0.7"`
}

/** Of a host that has no problem: lower case, IPv6 in its shortest form, the port without leading zeros. */
function normalHost(host: string): string {
  const [, name = '', port] = HOST_AND_PORT.exec(host) ?? []
  const normal = name.startsWith('[') ? normalAddress(name) : name.toLowerCase()
  return port === undefined ? normal : `${normal}:${Number(port)}`
}

/** `[::ffff:10.0.0.7]` reaches what `10.0.0.7` does, so it has that one spelling. */
function normalAddress(bracketed: string): string {
  const { hostname } = new URL(`http://${bracketed}`)
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname) ?? []
  if (high === undefined || low === undefined) return hostname
  const groups = [high, low].map((group) => Number.parseInt(group, 16))
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.')
}

function isHostName(name: string, isBelowWildcard: boolean): boolean {
  const labels = name.toLowerCase().split('.')
  // A last label that is a number makes an address; short and hexadecimal forms are read differently by
  // different resolvers (`127.1`, `0x7f.1`), so only four plain decimals count.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    return !isBelowWildcard && labels.length === 4 && labels.every((part) => isDecimalByte(part))
  }
  return (
    name.length <= 253 && labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  )
}

function isDecimalByte(text: string): boolean {
  return /^(?:0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= 255
}
