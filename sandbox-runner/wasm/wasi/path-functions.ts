import {
  closeSync,
  constants,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  type BigIntStats,
} from 'node:fs'
import { posix } from 'node:path'

import type { DeniedPermission } from './access-denied.ts'
import { AccessDenied } from './access-denied.ts'
import type { Descriptors } from './descriptors.ts'
import { WasiError } from './errno.ts'
import {
  BARE_FOLDER,
  FDFLAG,
  fileTypeOf,
  FOLLOW_LINKS,
  OPEN_FLAG,
  putFileStat,
  RIGHT,
} from './file-layout.ts'
import { timesOf } from './file-times.ts'
import type { Grants, Place } from './grants.ts'
import type { WasiMemory } from './wasi-memory.ts'
import { atName, openAt, statGrant } from './walk.ts'

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_DIRECTORY, O_EXCL, O_TRUNC, O_APPEND, O_DSYNC, O_SYNC } =
  constants
const READ = 'FileSystemRead'
const WRITE = 'FileSystemWrite'

interface OpenRequest {
  readonly flags: number
  readonly reads: boolean
  readonly writes: boolean
}

/** What works on paths below something that is open. */
export function pathFunctions(
  memory: WasiMemory,
  { descriptors, grants }: { readonly descriptors: Descriptors; readonly grants: Grants },
) {
  /** @throws AccessDenied for what was not granted for that */
  function placeOf(fd: number, written: string, right: DeniedPermission): Place {
    if (written === '') throw new WasiError('noent')
    const folder = descriptors.folder(fd)
    const isRoot = folder.kind === 'root'
    if (written.includes('\0')) {
      // The kernel would read as far as there.
      throw new AccessDenied(right, posix.join(isRoot ? '/' : folder.path, written.replaceAll('\0', '\\0')))
    }
    const place = isRoot ? grants.place(written, right) : grants.placeBelow(folder, written, right)
    if (right !== READ && !place.mayWrite) throw new AccessDenied(right, place.path)
    return place
  }
  /** A folder that only leads to a grant is there, and may be asked for its type. */
  function isOnTheWay(fd: number, written: string): boolean {
    return written !== '' && descriptors.get(fd).kind === 'root' && grants.isAbove(written)
  }
  const text = (address: number, length: number): string => memory.path(address, length)

  return {
    path_open(
      fd: number,
      _lookup: number,
      address: number,
      length: number,
      openFlags: number,
      rights: bigint,
      _inherited: bigint,
      fdFlags: number,
      result: number,
    ) {
      memory.setU32(result, 0)
      const request = openRequest(openFlags, rights, fdFlags)
      const right = request.writes || (request.flags & (O_CREAT | O_TRUNC)) !== 0 ? WRITE : READ
      const place = placeOf(fd, text(address, length), right)
      const { fd: own, stat } = openAt(place, right, request.flags)
      const { path, mayWrite } = place
      try {
        memory.setU32(
          result,
          descriptors.add(
            stat.isDirectory()
              ? { kind: 'folder', fd: own, path, mayWrite, listing: null }
              : {
                  kind: 'file',
                  fd: own,
                  path,
                  mayRead: request.reads,
                  mayWrite: request.writes,
                  isAppending: (fdFlags & FDFLAG.append) !== 0,
                  position: 0,
                },
          ),
        )
      } catch (error) {
        closeSync(own)
        throw error
      }
    },
    path_filestat_get(fd: number, lookup: number, address: number, length: number, result: number) {
      memory.fields(result, 8)
      const written = text(address, length)
      if (isOnTheWay(fd, written)) {
        putFileStat(memory, result, BARE_FOLDER)
        return
      }
      const place = placeOf(fd, written, READ)
      const stat = statAt(place, (lookup & FOLLOW_LINKS) !== 0)
      putFileStat(memory, result, { ...times(stat), type: fileTypeOf(stat) })
    },
    path_filestat_set_times(
      fd: number,
      _lookup: number,
      address: number,
      length: number,
      accessNs: bigint,
      modifiedNs: bigint,
      which: number,
    ) {
      const place = placeOf(fd, text(address, length), WRITE)
      atName(place, WRITE, (target) => {
        const stat = lstatSync(target, { bigint: true })
        if (stat.isSymbolicLink()) throw new AccessDenied(WRITE, place.path)
        lutimesSync(target, ...timesOf(stat, { accessNs, modifiedNs, which }))
      })
    },
    path_create_directory(fd: number, address: number, length: number) {
      const written = text(address, length)
      if (isOnTheWay(fd, written)) throw new WasiError('exist')
      const place = placeOf(fd, written, READ)
      // It is there already, whether or not more could be made in it.
      if (place.names.length === 0) throw new WasiError('exist')
      if (!place.mayWrite) throw new AccessDenied(WRITE, place.path)
      atName(place, WRITE, (target) => mkdirSync(target))
    },
    path_unlink_file(fd: number, address: number, length: number) {
      atName(placeOf(fd, text(address, length), WRITE), WRITE, (target) => unlinkSync(target))
    },
    path_remove_directory(fd: number, address: number, length: number) {
      atName(placeOf(fd, text(address, length), WRITE), WRITE, (target) => rmdirSync(target))
    },
    path_rename(
      fd: number,
      address: number,
      length: number,
      newFd: number,
      newAddress: number,
      newLength: number,
    ) {
      const from = placeOf(fd, text(address, length), WRITE)
      const to = placeOf(newFd, text(newAddress, newLength), WRITE)
      // A grant inside would be found by its path no more, and what that one does not allow would be allowed.
      if (grants.isAbove(from.path) || grants.isAbove(to.path)) throw new WasiError('busy')
      atName(from, WRITE, (source) => atName(to, WRITE, (target) => renameSync(source, target)))
    },
    path_readlink(fd: number, address: number, length: number) {
      const place = placeOf(fd, text(address, length), READ)
      // Where a link leads is not told; that there is none is.
      if (!statAt(place, false).isSymbolicLink()) throw new WasiError('inval')
      throw new AccessDenied(READ, place.path)
    },
    path_symlink(_target: number, _targetLength: number, fd: number, address: number, length: number) {
      throw new AccessDenied('FileSystem', placeOf(fd, text(address, length), WRITE).path)
    },
  }
}

function statAt(place: Place, follows: boolean): BigIntStats {
  if (place.names.length === 0) return statGrant(place)
  return atName(place, READ, (target) => {
    const stat = lstatSync(target, { bigint: true })
    if (follows && stat.isSymbolicLink()) throw new AccessDenied(READ, place.path)
    if (place.isFolder && !stat.isDirectory()) throw new WasiError('notdir')
    return stat
  })
}

function openRequest(openFlags: number, rights: bigint, fdFlags: number): OpenRequest {
  const has = (flag: number): boolean => (openFlags & flag) !== 0
  const writes = (rights & RIGHT.write) !== 0n
  const reads = (rights & (RIGHT.read | RIGHT.readdir)) !== 0n || !writes
  let flags = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY
  if (has(OPEN_FLAG.create)) flags |= O_CREAT
  if (has(OPEN_FLAG.folder)) flags |= O_DIRECTORY
  if (has(OPEN_FLAG.exclusive)) flags |= O_EXCL
  if (has(OPEN_FLAG.truncate)) flags |= O_TRUNC
  if ((fdFlags & FDFLAG.append) !== 0 && writes) flags |= O_APPEND
  if ((fdFlags & FDFLAG.dsync) !== 0) flags |= O_DSYNC
  if ((fdFlags & (FDFLAG.sync | FDFLAG.rsync)) !== 0) flags |= O_SYNC
  return { flags, reads, writes }
}

function times({ dev, ino, nlink, size, atimeNs, mtimeNs, ctimeNs }: BigIntStats) {
  return { dev, ino, nlink, size, atimeNs, mtimeNs, ctimeNs }
}
