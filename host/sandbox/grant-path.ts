import fs from 'node:fs'
import path from 'node:path'

import { messageOf } from '../../src/contract/phantom-error.ts'
import { canonicalPath, contains } from './paths.ts'
import { RUNNER_ROOT } from './runner-paths.ts'

/** Made anew for every runner, or the kernel's own: the host's must not stand in their place. */
const KERNEL_FOLDERS = ['/proc', '/sys', '/dev', RUNNER_ROOT]
const VARIABLE = /^\$\{([^}]*)\}(?=\/|$)/

/** Canonical, absolute. */
export interface GrantRoots {
  readonly workspace: string
  readonly pluginDir: string
  readonly dataDir: string
  /** The daemon's own: its state, its configuration, its sockets. */
  readonly hidden: readonly string[]
}

export interface GrantPath {
  readonly path: string
  readonly exists: boolean
  readonly isFolder: boolean
}

export type GrantPathResult = GrantPath | { readonly refused: string }

/** The path that a permission means, without symbolic links; or why it can't be granted, in words. */
export function resolveGrantPath(written: string, roots: GrantRoots): GrantPathResult {
  const refused = refusalOfSpelling(written)
  if (refused !== null) return { refused }
  const anchored = anchor(written, roots)
  if ('refused' in anchored) return anchored
  try {
    const { path: canonical, exists } = canonicalPath(anchored.path)
    const why = refusalOfPlace(canonical, anchored, roots)
    if (why !== null) return { refused: why }
    return exists ? describeExisting(canonical) : { path: canonical, exists, isFolder: true }
  } catch (error) {
    return { refused: `"${anchored.path}" cannot be followed to its end: ${messageOf(error)}` }
  }
}

/** What no machine and no folder makes right; also what a manifest check can say before anything is resolved. */
export function refusalOfSpelling(written: string): string | null {
  if (written === '') return 'it names no path. Write one, such as ./data'
  // Paths become arguments of programs and lines of logs.
  if (/\p{Cc}/u.test(written)) return 'its path has a control character in it. Rename the file or folder'
  if (written.includes('*')) {
    return 'a path is taken as it stands, and Node would take "*" as a pattern. Name the folder itself'
  }
  if (written === '~' || written.startsWith('~/')) return '"~" means nothing here. Write the absolute path'
  if (!path.isAbsolute(written)) return null
  return refusalOfAbsolute(path.resolve(written))
}

interface Anchored {
  readonly path: string
  /** Relative paths stay inside this folder; null for absolute ones. */
  readonly root: { readonly name: string; readonly path: string } | null
}

export function anchor(written: string, roots: GrantRoots): Anchored | { refused: string } {
  if (path.isAbsolute(written)) return { path: path.resolve(written), root: null }
  const variable = VARIABLE.exec(written)
  if (variable === null) {
    if (written.startsWith('${'))
      return { refused: `"${written}" has a variable that does not end. ${KNOWN}` }
    return {
      path: path.resolve(roots.workspace, written),
      root: { name: 'workspace', path: roots.workspace },
    }
  }
  const root = rootOf(variable[1] ?? '', roots)
  if (root === null) return { refused: `"${variable[0]}" is not known. ${KNOWN}` }
  return { path: path.join(root.path, written.slice(variable[0].length)), root }
}

const KNOWN = 'Known are ${workspace}, ${plugin_dir} and ${data_dir}'

function rootOf(name: string, roots: GrantRoots): Anchored['root'] {
  if (name === 'workspace') return { name, path: roots.workspace }
  if (name === 'plugin_dir') return { name: "plugin's folder", path: roots.pluginDir }
  if (name === 'data_dir') return { name: 'data_dir', path: roots.dataDir }
  return null
}

function refusalOfPlace(
  canonical: string,
  { path: asked, root }: Anchored,
  roots: GrantRoots,
): string | null {
  if (root === null && canonical !== asked) {
    return `it leads, through a symbolic link, to "${canonical}". Name that path, so that whoever approves it sees it`
  }
  if (root !== null && !contains(root.path, canonical)) {
    const how = contains(root.path, asked)
      ? `, through a symbolic link, to "${canonical}"`
      : ` to "${canonical}"`
    return `it leads out of the ${root.name} "${root.path}"${how}. Name the absolute path, so that whoever approves it sees it`
  }
  if (canonical.includes('*'))
    return `"${canonical}" has a "*" in it, and Node would take that for any text. Rename it`
  // A data folder usually lies in the state folder, and is the plugin's own.
  if (contains(roots.dataDir, canonical)) return null
  const own = roots.hidden.find((folder) => contains(folder, canonical))
  if (own !== undefined)
    return `"${canonical}" holds the daemon's own state or configuration, which no plugin sees. Name another place`
  return refusalOfAbsolute(canonical)
}

function refusalOfAbsolute(absolute: string): string | null {
  if (absolute === '/tmp')
    return 'every plugin has a /tmp of its own. Name the folder below it that is needed'
  const taken = KERNEL_FOLDERS.find((folder) => contains(folder, absolute))
  return taken === undefined
    ? null
    : `"${taken}" is not the host's inside a sandbox, and is granted to nobody`
}

function describeExisting(canonical: string): GrantPathResult {
  const stat = fs.statSync(canonical)
  if (!stat.isDirectory() && !stat.isFile()) {
    // A socket reached through a mount answers although the network is cut off.
    return {
      refused: `"${canonical}" is neither a file nor a folder. Sockets, pipes and devices are not granted`,
    }
  }
  return { path: canonical, exists: true, isFolder: stat.isDirectory() }
}
