import fs from 'node:fs'
import path from 'node:path'

import type { Permission } from '../../src/contract/permission.ts'
import type { PermissionInfo } from '../../src/contract/plugin-info.ts'
import { STATE_PARENT } from '../../src/rpc/endpoint.ts'
import { resolveEnvironment } from './environment.ts'
import { explainDeniedAccess } from './file-access.ts'
import { anchor, refusalOfSpelling, resolveGrantPath, type GrantPath, type GrantRoots } from './grant-path.ts'
import type { RunnerIdentity } from './identity.ts'
import type { Machine } from './machine.ts'
import { PERMISSION_MECHANISMS } from './mechanisms.ts'
import { canonicalPath, contains, outermost } from './paths.ts'
import { plantedLink, type WritablePlace } from './planted-link.ts'
import { wideReasonOf } from './wide-path.ts'

export interface PolicyRoots {
  /** Canonical when it was admitted, and not followed again: what lies there now may be a link to somewhere else. */
  readonly workspace: string
  readonly pluginDir: string
  readonly dataDir: string
  /** The daemon's: refused as a grant, and left empty inside a grant that contains them. */
  readonly hidden: readonly string[]
  /** The daemon's file of secrets: no grant may contain it, unless it is hidden. Null where there is none. */
  readonly secretsFile: string | null
  /** Kept read-only inside a grant that contains them: the folder of all plugins, the runner. */
  readonly protect: readonly string[]
  /** What the administrator's policy closes, as it is written there. */
  readonly forbidden: readonly ForbiddenPlace[]
  /** The daemon's. */
  readonly environment: NodeJS.ProcessEnv
  /** Whom the runner runs as where that is not the daemon's own uid; null otherwise. */
  readonly identity: RunnerIdentity | null
}

/** A place that stays closed wherever a grant leads. */
export interface ForbiddenPlace {
  /** `fs_write`: it may be read. */
  readonly kind: 'fs_read' | 'fs_write'
  readonly path: string
  /** Where that is written, for whoever asks why. */
  readonly place: string
}

/** What a runner gets, as paths and values. Absent from it means not granted. */
export interface Policy {
  /** Canonical and absolute, none inside another of the two lists. */
  readonly readPaths: readonly string[]
  /** Canonical and absolute, none inside another; a right to write is one to read as well. */
  readonly writePaths: readonly string[]
  /** Those of `writePaths` that do not exist yet, below the workspace: folders for the host to make. */
  readonly createPaths: readonly string[]
  /** Folders to leave empty, and folders to keep read-only, where a grant contains them. */
  readonly hide: readonly string[]
  readonly protect: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Normalised rules: `host`, `host:port`, `*.host`, `*`. Empty: no network at all. */
  readonly network: readonly string[]
  /** Whether other programs may be started, inside the same walls. */
  readonly process: boolean
  readonly permissions: readonly PermissionInfo[]
  readonly notices: readonly string[]
}

/** The one place where a permission becomes something enforceable. */
export function resolvePolicy(
  permissions: readonly Permission[],
  roots: PolicyRoots,
  machine: Pick<Machine, 'tier'>,
): Policy {
  const known = canonicalRoots(roots)
  const draft: Draft = {
    roots: known,
    forbidden: roots.forbidden.map((one) => ({ ...one, path: placeOf(one.path, known) })),
    protect: roots.protect.map((folder) => canonicalPath(folder).path),
    secretsFile: roots.secretsFile === null ? null : canonicalPath(roots.secretsFile).path,
    identity: roots.identity,
    tier: machine.tier,
    writable: permissions.flatMap((one) => (one.kind === 'fs_write' ? writableBy(one.path, known) : [])),
    readPaths: [],
    writePaths: [],
    createPaths: [],
    env: {},
    network: [],
    process: false,
    notices: [],
  }
  const infos = permissions.map((permission) => applyPermission(permission, draft, roots.environment))
  const writePaths = outermost(draft.writePaths)
  return {
    readPaths: outermost(draft.readPaths, writePaths),
    writePaths,
    createPaths: [...new Set(draft.createPaths)],
    hide: outermost(draft.roots.hidden.filter((folder) => fs.existsSync(folder))),
    protect: draft.protect.filter((folder) => fs.existsSync(folder)),
    // The time zone is no secret, and a report with the wrong hour in it helps nobody.
    env: { ...(roots.environment['TZ'] === undefined ? {} : { TZ: roots.environment['TZ'] }), ...draft.env },
    network: [...new Set(draft.network)],
    process: draft.process,
    permissions: infos,
    notices: draft.notices,
  }
}

/** Why nobody holds it, whoever approves it; null for what can be held. */
export function refusalOf(permission: Permission): string | null {
  return 'path' in permission ? refusalOfSpelling(permission.path) : null
}

const NO_WALLS =
  'programs need walls around them, and in tier "process" there are none: they would reach all that the user does. Run "phantom doctor"'

interface Draft {
  readonly roots: GrantRoots
  readonly protect: readonly string[]
  readonly secretsFile: string | null
  readonly forbidden: readonly ForbiddenPlace[]
  readonly identity: RunnerIdentity | null
  readonly tier: Machine['tier']
  readonly writable: readonly WritablePlace[]
  readonly readPaths: string[]
  readonly writePaths: string[]
  readonly createPaths: string[]
  readonly env: Record<string, string>
  readonly network: string[]
  process: boolean
  readonly notices: string[]
}

const NO_NETWORK_WITHOUT_NAMESPACE =
  'only a network namespace holds a plugin to its hosts, and tier "process" has none. Install bubblewrap ("phantom doctor" tells)'

function canonicalRoots(roots: PolicyRoots): GrantRoots {
  return {
    workspace: path.resolve(roots.workspace),
    pluginDir: canonicalPath(roots.pluginDir).path,
    dataDir: canonicalPath(roots.dataDir).path,
    // A workspace may be another daemon's project.
    hidden: [...roots.hidden, path.join(roots.workspace, STATE_PARENT)].map(
      (folder) => canonicalPath(folder).path,
    ),
  }
}

/** Where it is, as far as that can be seen; a place that can't be followed stays as it is written. */
function placeOf(written: string, roots: GrantRoots): string {
  const anchored = anchor(written, roots)
  if ('refused' in anchored) return written
  try {
    return canonicalPath(anchored.path).path
  } catch {
    // A loop of links, or a folder that may not be entered: then no grant leads through it either.
    return anchored.path
  }
}

function writableBy(written: string, roots: GrantRoots): WritablePlace[] {
  const anchored = anchor(written, roots)
  return 'refused' in anchored ? [] : [{ asked: anchored.path, path: placeOf(written, roots) }]
}

/** Of relative ones alone: no absolute one may lead through a link. */
function refusalOfLink(written: string, { path: canonical }: GrantPath, draft: Draft): string | null {
  const anchored = anchor(written, draft.roots)
  if ('refused' in anchored || anchored.root === null) return null
  const link = plantedLink({ asked: anchored.path, path: canonical }, anchored.root.path, draft.writable)
  if (link === null) return null
  return `it leads through "${link}", a link that lies where the plugin may write and may have put it itself. Name "${canonical}"`
}

function applyPermission(
  permission: Permission,
  draft: Draft,
  environment: NodeJS.ProcessEnv,
): PermissionInfo {
  const reason = refusalOf(permission)
  if (reason !== null) return refused(permission, reason)
  switch (permission.kind) {
    case 'env':
      return applyEnvironment(permission, draft, environment)
    case 'fs_read':
    case 'fs_write':
      return applyPath(permission, draft)
    case 'network':
      // Node's own permission model knows no hosts: what is open is open to the whole machine, our sockets included.
      if (draft.tier === 'process') return refused(permission, NO_NETWORK_WITHOUT_NAMESPACE)
      draft.network.push(...permission.hosts)
      return held(permission, `connect to ${permission.hosts.join(', ')}`, draft.tier)
    case 'process':
      if (draft.tier === 'process') return refused(permission, NO_WALLS)
      draft.process = true
      return held(permission, 'start programs inside the same walls', draft.tier)
  }
}

function held(
  { declared, kind }: Extract<Permission, { kind: 'network' | 'process' }>,
  effective: string,
  tier: Machine['tier'],
): PermissionInfo {
  return { declared, effective, mechanism: PERMISSION_MECHANISMS[tier][kind], refused: null }
}

function applyEnvironment(
  permission: Extract<Permission, { kind: 'env' }>,
  draft: Draft,
  environment: NodeJS.ProcessEnv,
): PermissionInfo {
  const { granted, problems } = resolveEnvironment(
    permission.variables,
    environment,
    draft.secretsFile !== null,
  )
  Object.assign(draft.env, granted)
  const names = Object.keys(granted)
  draft.notices.push(...problems.map((problem) => `${permission.declared}: ${problem}`))
  if (names.length === 0) return refused(permission, problems.join('; ') || 'it names no variable')
  return {
    declared: permission.declared,
    effective: `the value of ${names.join(', ')}`,
    mechanism: PERMISSION_MECHANISMS[draft.tier].env,
    refused: problems.length === 0 ? null : problems.join('; '),
  }
}

type PathPermission = Extract<Permission, { path: string }>

function applyPath(permission: PathPermission, draft: Draft): PermissionInfo {
  const grant = resolveGrantPath(permission.path, draft.roots)
  const reason = 'refused' in grant ? grant.refused : refusalOfGrant(permission, grant, draft)
  if ('refused' in grant || reason !== null) {
    draft.notices.push(`${permission.declared}: ${reason}`)
    return refused(permission, reason ?? '')
  }
  if (!grant.exists) draft.createPaths.push(grant.path)
  addPath(permission, grant, draft)
  return {
    declared: permission.declared,
    effective: `${permission.kind === 'fs_read' ? 'read' : 'read and write'} ${grant.path}${grant.isFolder && grant.path !== '/' ? '/' : ''}`,
    mechanism: PERMISSION_MECHANISMS[draft.tier].files,
    refused: null,
  }
}

function refusalOfGrant(
  { kind, path: written }: PathPermission,
  grant: GrantPath,
  draft: Draft,
): string | null {
  const { roots, protect, secretsFile, tier } = draft
  const isHidden = roots.hidden.some((folder) => secretsFile !== null && contains(folder, secretsFile))
  if (secretsFile !== null && !isHidden && contains(grant.path, secretsFile)) {
    return `"${grant.path}" contains the daemon's secrets file. Name the folders that are needed, or keep that file elsewhere`
  }
  const own = roots.hidden.find((folder) => contains(grant.path, folder))
  if (tier === 'process' && own !== undefined) {
    return `"${grant.path}" contains the daemon's own "${own}", which only a mount namespace could leave out. Name the folders below it`
  }
  const planted = refusalOfLink(written, grant, draft)
  if (planted !== null) return planted
  const wide = path.isAbsolute(written) ? null : wideReasonOf(kind, grant.path)
  if (wide !== null) {
    return `it is "${grant.path}" here, ${wide}. Name the absolute path, so that whoever approves it sees it`
  }
  const closed = draft.forbidden.find((one) => isClosedBy(one, kind, grant.path))
  if (closed !== undefined) return `the administrator's policy refuses "${closed.path}" (${closed.place})`
  if (kind === 'fs_write' && contains(roots.pluginDir, grant.path)) {
    return `"${grant.path}" lies in the plugin's own folder, which stays read-only. Write to \${data_dir}`
  }
  const guard = kind === 'fs_write' && protect.find((folder) => contains(folder, grant.path))
  if (typeof guard === 'string' && !contains(roots.dataDir, grant.path)) {
    return `"${grant.path}" lies in "${guard}", which stays read-only for plugins. Write elsewhere`
  }
  return grant.exists ? null : refusalOfMissing(kind, grant.path, roots)
}

/** Who may not read a place may not write it either. */
function isClosedBy(one: ForbiddenPlace, kind: PathPermission['kind'], at: string): boolean {
  if (one.kind === 'fs_write' && kind === 'fs_read') return false
  return contains(one.path, at) || contains(at, one.path)
}

function refusalOfMissing(kind: PathPermission['kind'], at: string, roots: GrantRoots): string | null {
  if (kind === 'fs_read') return `"${at}" does not exist. Make it, then restart the plugin`
  if (contains(roots.workspace, at) || contains(roots.dataDir, at)) return null
  return `"${at}" does not exist, and outside the workspace the host makes no folders. Make it, then restart the plugin`
}

function addPath(permission: PathPermission, grant: GrantPath, draft: Draft): void {
  const { roots, identity, tier } = draft
  // Both are there for every runner: the data folder writable, the plugin's own folder readable.
  if (contains(roots.dataDir, grant.path) || contains(roots.pluginDir, grant.path)) return
  const list = permission.kind === 'fs_read' ? draft.readPaths : draft.writePaths
  list.push(grant.path)
  if (identity === null || !grant.exists) return
  const right = permission.kind === 'fs_read' ? 'read' : 'write'
  const denied = explainDeniedAccess({ path: grant.path, right, identity, tier })
  if (denied !== null) draft.notices.push(`${permission.declared}: ${denied}`)
}

function refused(permission: Permission, reason: string): PermissionInfo {
  return { declared: permission.declared, effective: null, mechanism: null, refused: reason }
}
