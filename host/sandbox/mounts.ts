import fs from 'node:fs'
import type { ClosingMount } from './entry/mount-steps.ts'
import type { Machine } from './machine.ts'
import { checkedPath, empty, isSealed, mountArgument, read, write, type Mount } from './mount.ts'
import { ancestors, contains, foldersBetween } from './paths.ts'
import type { RunnerRequest } from './plan-runner.ts'
import { RUNNER_ROOT } from './runner-paths.ts'
import { systemMounts } from './system-mounts.ts'

/** Never the host's inside a sandbox. */
const KEPT_OUT = ['/proc', '/sys', '/dev', '/tmp', RUNNER_ROOT]

export interface MountPlan {
  readonly args: string[]
  /** Paths to open for bubblewrap, the first one as descriptor `firstDescriptor`; see `openBind`. */
  readonly binds: readonly string[]
  /** What would be opened, and is mounted by its path where bubblewrap knows no other way. */
  readonly named: readonly string[]
  /** What is not bubblewrap's work but the entry program's. */
  readonly closing: readonly ClosingMount[]
}

/** bubblewrap's arguments for the file system of one runner: nothing is there but what stands here. */
export function planMounts(machine: Machine, request: RunnerRequest, firstDescriptor: number): MountPlan {
  const outer = [...grantMounts(machine, request), ...ownMounts(request)]
  const all = [...systemMounts(machine, request), ...temporaryFolders(outer, request), ...outer]
  // Of an ordinary user's sandbox nobody has a capability: a system may allow that to bubblewrap alone.
  const isClosedInside = machine.uid === 0
  const [mounts, last] = isClosedInside ? split(all) : [all, []]
  const checked: string[] = []
  const descriptorOf = (path: string): number => firstDescriptor + checked.push(path) - 1
  const placed: Mount[] = []
  const args: string[] = []
  const made = new Set<string>()
  for (const mount of mounts) {
    args.push(...foldersAbove(mount.at, placed, made))
    args.push(...mountArgument(mount, machine.hasBindFd ? descriptorOf : null))
    placed.push(mount)
  }
  args.push(...foldersAbove(`${request.workspace}/x`, placed, made))
  const sealed = [...mounts.filter((mount) => isSealed(mount)).map(({ at }) => at), '/']
  if (!isClosedInside) args.push(...sealed.flatMap((at) => ['--remount-ro', at]))
  const seals = isClosedInside ? sealed.map((at): ClosingMount => ({ kind: 'seal', at })) : []
  const named = machine.hasBindFd ? [] : mounts.flatMap((mount) => checkedPath(mount) ?? [])
  return {
    args: [...args, '--chdir', request.workspace],
    binds: checked,
    named,
    closing: [...last, ...seals],
  }
}

/** What covers something of /proc has nothing in it, and comes from nowhere: it can be mounted when all else is. */
function split(mounts: readonly Mount[]): [Mount[], ClosingMount[]] {
  const covers = mounts.flatMap(({ kind, at }): ClosingMount[] =>
    kind === 'cover' || (kind === 'empty' && contains('/proc', at)) ? [{ kind, at }] : [],
  )
  return [mounts.filter(({ at }) => !covers.some((closing) => closing.at === at)), covers]
}

/**
 * Where a workspace or a grant lies below the host's /tmp, its way there. Left as folders of the private /tmp they
 * would be writable, and a plugin that writes beside its grants would not notice that nothing comes of it.
 */
function temporaryFolders(mounts: readonly Mount[], { workspace }: RunnerRequest): Mount[] {
  const first = [workspace, ...mounts.map((mount) => mount.at)].flatMap(
    (at) => /^\/tmp\/[^/]+/.exec(at)?.[0] ?? [],
  )
  return [...new Set(first)]
    .filter((folder) => !mounts.some((mount) => mount.at === folder))
    .map((folder) => empty(folder))
}

function grantMounts(machine: Machine, { policy, pluginDir, dataDir }: RunnerRequest): Mount[] {
  // What a plugin with programs sees of the host counts as a grant to read.
  const folders = policy.process ? machine.programFolders : []
  const programs = folders.map(({ path }) => path)
  const links = folders.flatMap(({ path, linkTo }) => (linkTo === null ? [] : path))
  const grants = [...policy.readPaths, ...policy.writePaths, ...programs]
  const covered = (inner: string): boolean => grants.some((granted) => reaches(granted, inner))
  const protect = policy.protect.filter(covered)
  const hide = policy.hide.filter(covered)
  const guarded = [...protect, ...hide, pluginDir, dataDir]
  const own = { links, guarded }
  const granted = [
    ...withoutRoot(policy.readPaths, own).map(({ from, at }) => read(from, at)),
    ...withoutRoot(policy.writePaths, own).map(({ from, at }) => write(from, at)),
    ...pins(policy.writePaths, guarded),
  ]
  // Guards after all grants, so that a grant inside one of them opens nothing.
  return [
    ...byDepth(granted),
    ...byDepth(protect.map((inner) => read(inner))),
    ...byDepth(hide.map((inner) => empty(inner))),
  ]
}

/** Whether a grant makes a path of the host visible. */
function reaches(granted: string, inner: string): boolean {
  return contains(granted, inner) && !(granted === '/' && KEPT_OUT.some((taken) => contains(taken, inner)))
}

interface Place {
  readonly from: string
  readonly at: string
}

/**
 * A grant of `/` is one of each thing in it, so that the sandbox's root stays its own: mounted there, the host's would
 * get the mount points that the sandbox needs. What a sandbox has of its own is left out, `links` that lie there too.
 */
function withoutRoot(paths: readonly string[], { links, guarded }: Kept): Place[] {
  return paths.flatMap((granted) =>
    granted === '/'
      ? topLevel().filter((place) => !links.includes(place.at) && !isSecondWay(place, guarded))
      : [{ from: granted, at: granted }],
  )
}

interface Kept {
  readonly links: readonly string[]
  /** Canonical. */
  readonly guarded: readonly string[]
}

/** Whether it shows, by another name (`/home` for `/var/home`), what is guarded in its own place alone. */
function isSecondWay({ from, at }: Place, guarded: readonly string[]): boolean {
  return from !== at && guarded.some((inner) => contains(from, inner) || contains(inner, from))
}

function topLevel(): Place[] {
  return fs.readdirSync('/').flatMap((name) => {
    const at = `/${name}`
    const stat = fs.statSync(at, { throwIfNoEntry: false })
    if (KEPT_OUT.includes(at) || stat === undefined || !(stat.isDirectory() || stat.isFile())) return []
    // `/bin` may be a link to a folder that is mounted by itself: a mount has no need of the link.
    const from = fs.realpathSync(at)
    return KEPT_OUT.some((taken) => contains(taken, from)) ? [] : [{ from, at }]
  })
}

/**
 * The folders between a writable grant and what is guarded inside it, each mounted on itself: the kernel does not
 * rename a mount point, so nothing guarded can be moved aside with its parent and replaced for the next start.
 */
function pins(writePaths: readonly string[], guarded: readonly string[]): Mount[] {
  const between = writePaths.flatMap((granted) =>
    guarded.flatMap((inner) => (reaches(granted, inner) ? foldersBetween(granted, inner) : [])),
  )
  const open = between.filter((folder) => !guarded.some((outer) => contains(outer, folder)))
  return [...new Set(open)].map((folder) => write(folder))
}

/** After the grants, so that none of them opens what is closed here. */
function ownMounts({ dataDir, overlayDir, pluginDir, validatorDir }: RunnerRequest): Mount[] {
  return [
    write(dataDir),
    read(overlayDir ?? pluginDir, pluginDir),
    ...(validatorDir === null ? [] : [read(validatorDir)]),
  ]
}

/** Parents before what lies in them: a path sorts before those that begin with it. */
function byDepth(mounts: readonly Mount[]): Mount[] {
  return mounts.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
}

/** Left to bubblewrap, the folders above a mount have mode 0700 (seen in 0.8) and shut out the runner's uid. */
function foldersAbove(at: string, placed: readonly Mount[], made: Set<string>): string[] {
  return ancestors(at).flatMap((folder) => {
    const around = placed.findLast((mount) => contains(mount.at, folder))
    if ((around !== undefined && around.kind !== 'empty') || around?.at === folder) return []
    const key = `${around?.at ?? '/'}:${folder}`
    if (made.has(key)) return []
    made.add(key)
    return ['--perms', '0755', '--dir', folder]
  })
}
