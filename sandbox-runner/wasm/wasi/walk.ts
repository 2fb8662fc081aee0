import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  truncateSync,
  type BigIntStats,
} from 'node:fs'
import { posix } from 'node:path'

import { AccessDenied, type DeniedPermission } from './access-denied.ts'
import { WasiError } from './errno.ts'
import type { Place } from './grants.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_TRUNC } = constants
/** Opens a place without what lies there, so it takes no right and does nothing; Node has no name for it. */
const O_PATH = 0o10000000
const STEP = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
/** Of one path; the walk takes so many steps at most. */
const MAX_NAMES = 256

/**
 * Node has no `openat(2)`. `/proc/self/fd/N` is the open folder itself, so one name below it is looked up there, wherever
 * that folder lies meanwhile. With O_NOFOLLOW at each step no link is ever followed, whoever changes what while we walk.
 */
function below(folder: number, name: string): string {
  return `/proc/self/fd/${folder}/${name}`
}

/**
 * Walks to the last name of a place, one open folder after another, and hands over a path that leads there by that name
 * alone. Whoever uses it must not follow a link at its end.
 *
 * @throws AccessDenied for a link on the way, WasiError `busy` for a place that is a grant itself and has no last name
 */
export function atName<Result>(
  place: Place,
  right: DeniedPermission,
  use: (target: string) => Result,
): Result {
  const last = place.names.at(-1)
  if (place.base === null || last === undefined) throw new WasiError('busy')
  if (place.names.length > MAX_NAMES) throw new WasiError('nametoolong')
  let folder = place.base
  try {
    for (const [index, name] of place.names.slice(0, -1).entries()) {
      const next = stepInto(below(folder, name), { place, index, right })
      if (folder !== place.base) closeSync(folder)
      folder = next
    }
    return use(below(folder, last))
  } catch (error) {
    if (codeOf(error) === 'ELOOP')
      throw deniedLink(below(folder, last), { place, index: place.names.length - 1, right })
    throw error
  } finally {
    if (folder !== place.base) closeSync(folder)
  }
}

/** What is at a place, opened, and no link followed: a file or a folder, since nothing else is served here. */
export function openAt(
  place: Place,
  right: DeniedPermission,
  flags: number,
): { readonly fd: number; readonly stat: BigIntStats } {
  // Neither does a pipe that nobody writes hold us, nor does a terminal become ours.
  const all = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (place.isFolder ? O_DIRECTORY : 0)
  const fd =
    place.names.length === 0
      ? openGrant(place, right, all)
      : atName(place, right, (target) => openOne(target, all, { place, right }))
  try {
    const stat = fstatSync(fd, { bigint: true })
    if (!stat.isFile() && !stat.isDirectory()) throw new WasiError('acces')
    return { fd, stat }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** What is known of a place that is a grant itself. */
export function statGrant({ base, path }: Place): BigIntStats {
  if (base !== null) return fstatSync(base, { bigint: true })
  const fd = openWhereGranted(path, 'FileSystemRead', O_PATH | O_NOFOLLOW)
  try {
    return fstatSync(fd, { bigint: true })
  } finally {
    closeSync(fd)
  }
}

function openGrant({ base, path }: Place, right: DeniedPermission, flags: number): number {
  if (base !== null) return openSync(below(base, '.'), flags)
  // Nothing is cut before it is known to be what was granted.
  const fd = openWhereGranted(path, right, flags & ~O_TRUNC)
  try {
    if ((flags & O_TRUNC) !== 0) truncateSync(opened(fd))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/**
 * Opens what was granted by itself: no folder of it is held open, and one above it may be a link by now. The host named
 * it without any, so what is open lies elsewhere then, and the kernel says where.
 */
function openWhereGranted(path: string, right: DeniedPermission, flags: number): number {
  const fd = openLinkless(path, right, flags)
  try {
    if (readlinkSync(opened(fd)) !== path) throw new AccessDenied(right, path)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function openLinkless(path: string, right: DeniedPermission, flags: number): number {
  try {
    return openSync(path, flags, CREATED)
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw new AccessDenied(right, path)
    throw error
  }
}

/** Also what it was opened as, whatever has its name by now. */
function opened(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** The umask is the runner's. */
const CREATED = 0o666

function openOne(
  target: string,
  flags: number,
  { place, right }: { place: Place; right: DeniedPermission },
): number {
  try {
    return openSync(target, flags, CREATED)
  } catch (error) {
    // Asked for a folder, the kernel calls a link none.
    if (codeOf(error) === 'ENOTDIR' && isLink(target))
      throw deniedLink(target, { place, index: place.names.length - 1, right })
    throw error
  }
}

interface Step {
  readonly place: Place
  readonly index: number
  readonly right: DeniedPermission
}

function stepInto(target: string, step: Step): number {
  try {
    return openSync(target, STEP)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ELOOP' || (code === 'ENOTDIR' && isLink(target))) throw deniedLink(target, step)
    throw error
  }
}

/** Names where the link leads, since a permission for that place is what would be missing. */
function deniedLink(target: string, { place, index, right }: Step): AccessDenied {
  const linked = posix.resolve(place.path, ...place.names.slice(index + 1).map(() => '..'))
  const rest = place.names.slice(index + 1)
  return new AccessDenied(right, posix.resolve(posix.dirname(linked), readLink(target) ?? linked, ...rest))
}

function readLink(target: string): string | null {
  try {
    return readlinkSync(target)
  } catch {
    // It is another one by now: what it led to is not known.
    return null
  }
}

function isLink(target: string): boolean {
  try {
    return lstatSync(target).isSymbolicLink()
  } catch {
    // It is gone: then the first error says what was so.
    return false
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}
