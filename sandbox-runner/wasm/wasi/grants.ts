import { constants, lstatSync, openSync } from 'node:fs'
import { posix } from 'node:path'

import { AccessDenied, type DeniedPermission } from './access-denied.ts'
import { closeAnyway } from './close-anyway.ts'
import { errnoOf, WasiError, type Errno } from './errno.ts'

export interface Grant {
  /** Absolute; a module sees it under the same path as the host does. */
  readonly path: string
  /** To write is to read as well. */
  readonly write: boolean
}

interface OpenGrant extends Grant {
  /** Of a folder, for as long as the module lives; else why nothing lies below it: a file mostly. */
  readonly folder: number | Errno
}

/** Where a path of the module's leads, not looked at yet. */
export interface Place {
  /** The open folder to begin from; null where `path` is granted as a file. */
  readonly base: number | null
  /** From there on; neither `.` nor `..` among them. */
  readonly names: readonly string[]
  /** The whole, on the host. */
  readonly path: string
  readonly mayWrite: boolean
  /** Spelt as a folder (`a/`). */
  readonly isFolder: boolean
}

/** A folder that the module has open. */
export interface OpenFolder {
  readonly fd: number
  /** Where it was when it was opened. */
  readonly path: string
  readonly mayWrite: boolean
}

/** In the words of Node's permission model. */
export type OnReached = (permission: DeniedPermission, resource: string) => void

/** Folders that lie in the root of every Linux: what begins with one of them is meant to be absolute. */
const ROOT_NAMES = new Set(
  'bin boot dev etc home lib lib32 lib64 media mnt nix opt proc root run sbin srv sys tmp usr var'.split(' '),
)

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * The files of the host that a module may reach, under one root. What was granted is opened once, so no link can take
 * its place later; everything else is not there.
 */
export class Grants {
  readonly #grants: readonly OpenGrant[]
  readonly #workspace: string
  readonly #onReached: OnReached | undefined

  /**
   * @param onReached told of what is looked up inside of a grant, whether or not it is there
   * @throws the system's error where there are no descriptors left
   */
  constructor(
    grants: readonly Grant[],
    { workspace, onReached }: { workspace: string; onReached?: OnReached | undefined },
  ) {
    this.#workspace = workspace
    this.#onReached = onReached
    const opened: OpenGrant[] = []
    try {
      for (const grant of grants) opened.push({ ...grant, folder: openFolder(grant.path) })
    } catch (error) {
      closeAll(opened)
      throw error
    }
    // The nearest one first, and of two for one place the one that gives more.
    this.#grants = opened.toSorted(
      (one, other) => other.path.length - one.path.length || Number(other.write) - Number(one.write),
    )
  }

  /**
   * Where a path leads that the module wrote below the root. A language whose library knows no working folder spells
   * `data/a.txt` and `/data/a.txt` alike, so what no grant has as an absolute path is looked for in the workspace.
   *
   * @throws AccessDenied for what was not granted
   */
  place(written: string, right: DeniedPermission): Place {
    const place = this.#place(written, right)
    this.#onReached?.(right, place.path)
    return place
  }

  #place(written: string, right: DeniedPermission): Place {
    const absolute = posix.resolve('/', written)
    const granted = this.#find(absolute, written)
    if (granted !== null) return granted
    const inWorkspace = posix.resolve(this.#workspace, written)
    const place = this.#find(inWorkspace, written)
    const isAbsolute = this.#soundsAbsolute(absolute)
    if (place !== null && (!isAbsolute || right !== 'FileSystemRead' || begins(place))) return place
    throw new AccessDenied(right, isAbsolute ? absolute : inWorkspace)
  }

  /**
   * Where a path leads below an open folder: never above it, as WASI has it. What another grant names more closely is
   * held to that one.
   *
   * @throws AccessDenied for what lies above
   */
  placeBelow(folder: OpenFolder, written: string, right: DeniedPermission): Place {
    const place = this.#placeBelow(folder, written, right)
    this.#onReached?.(right, place.path)
    return place
  }

  #placeBelow(folder: OpenFolder, written: string, right: DeniedPermission): Place {
    const path = posix.resolve(folder.path, written.replace(/^\/+/, ''))
    const names = namesBelow(folder.path, path)
    if (written.startsWith('/')) throw new AccessDenied(right, posix.resolve('/', written))
    if (names === null) throw new AccessDenied(right, path)
    const nearer = this.#grants.find((grant) => namesBelow(grant.path, path) !== null)
    if (nearer !== undefined && nearer.path.length > folder.path.length) {
      return placeIn(nearer, { names: namesBelow(nearer.path, path) ?? [], written })
    }
    return {
      base: folder.fd,
      names,
      path,
      mayWrite: folder.mayWrite,
      isFolder: isFolderSpelling(written),
    }
  }

  /** Whether a grant lies below: then the folder is known to be there, and nothing else of it. */
  isAbove(written: string): boolean {
    const absolute = posix.resolve('/', written)
    return this.#grants.some(({ path }) => (namesBelow(absolute, path)?.length ?? 0) > 0)
  }

  close(): void {
    closeAll(this.#grants)
  }

  #soundsAbsolute(absolute: string): boolean {
    const [, first = ''] = absolute.split('/')
    if (first === '' || ROOT_NAMES.has(first)) return true
    return this.#grants.some(({ path }) => path.startsWith(`/${first}/`))
  }

  #find(path: string, written: string): Place | null {
    for (const grant of this.#grants) {
      const names = namesBelow(grant.path, path)
      if (names !== null) return placeIn(grant, { names, written })
    }
    return null
  }
}

function placeIn(grant: OpenGrant, { names, written }: { names: string[]; written: string }): Place {
  const { folder } = grant
  const base = typeof folder === 'number' ? folder : null
  if (typeof folder !== 'number' && names.length > 0) throw new WasiError(folder)
  return {
    base,
    names,
    path: posix.join(grant.path, ...names),
    mayWrite: grant.write,
    isFolder: isFolderSpelling(written),
  }
}

/** Whether there is anything of that name, so that the workspace is meant and not the root. */
function begins({ base, names: [first] }: Place): boolean {
  if (base === null || first === undefined) return true
  return lstatSync(`/proc/self/fd/${base}/${first}`, { throwIfNoEntry: false }) !== undefined
}

function isFolderSpelling(written: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(written)
}

/** The names that lead from a folder to a path; null where it does not lie in it. */
function namesBelow(folder: string, path: string): string[] | null {
  if (path === folder) return []
  const prefix = folder === '/' ? '/' : `${folder}/`
  return path.startsWith(prefix) ? path.slice(prefix.length).split('/') : null
}

/** A grant that is gone, or that this user may not read, keeps nobody from starting. */
function openFolder(path: string): number | Errno {
  try {
    return openSync(path, FOLDER)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === null || errno === 'mfile' || errno === 'nfile') throw error
    return errno
  }
}

function closeAll(grants: readonly OpenGrant[]): void {
  for (const { folder } of grants) if (typeof folder === 'number') closeAnyway(folder)
}
