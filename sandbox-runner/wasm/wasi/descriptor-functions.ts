import {
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  readSync,
  readdirSync,
  utimesSync,
  writeSync,
  type BigIntStats,
} from 'node:fs'

import { type Descriptors, type OpenDirectory, type OpenFile } from './descriptors.ts'
import { WasiError } from './errno.ts'
import {
  ALL_RIGHTS,
  BARE_FOLDER,
  direntBytes,
  FDFLAG,
  FILE_TYPE,
  fileTypeOf,
  putFdStat,
  putFileStat,
  RIGHT,
  STREAM_RIGHTS,
} from './file-layout.ts'
import type { WasiMemory } from './wasi-memory.ts'
import { timesOf } from './file-times.ts'

const ROOT_NAME = new TextEncoder().encode('/')
/** Node takes no more at once. */
const MAX_STEP_BYTES = 1 << 30
const SEEK = { set: 0, current: 1, end: 2 } as const

/** What works on something that is open: reading, writing, listing, asking. */
export function descriptorFunctions(memory: WasiMemory, descriptors: Descriptors) {
  return {
    fd_close: (fd: number) => descriptors.close(fd),
    fd_renumber: (from: number, to: number) => descriptors.renumber(from, to),

    fd_read(fd: number, vectors: number, count: number, result: number) {
      memory.setU32(result, 0)
      const open = descriptors.get(fd)
      // There is no input: its end is what is read.
      if (open.kind === 'input') return
      if (open.kind === 'output') throw new WasiError('badf')
      const file = descriptors.file(fd)
      const read = transfer(memory.vectors(vectors, count), file.position, (bytes, position) =>
        readSync(file.fd, bytes, 0, bytes.length, position),
      )
      file.position += read
      memory.setU32(result, read)
    },
    fd_pread(fd: number, vectors: number, count: number, offset: bigint, result: number) {
      memory.setU32(result, 0)
      const { fd: own } = descriptors.file(fd)
      const read = transfer(memory.vectors(vectors, count), positionOf(offset), (bytes, position) =>
        readSync(own, bytes, 0, bytes.length, position),
      )
      memory.setU32(result, read)
    },
    fd_write(fd: number, vectors: number, count: number, result: number) {
      memory.setU32(result, 0)
      const open = descriptors.get(fd)
      if (open.kind === 'input') throw new WasiError('badf')
      const pieces = memory.vectors(vectors, count)
      if (open.kind === 'output') {
        for (const bytes of pieces) open.lines.write(bytes)
        memory.setU32(
          result,
          pieces.reduce((sum, { length }) => sum + length, 0),
        )
        return
      }
      const file = descriptors.file(fd)
      if (file.isAppending) file.position = sizeOf(file)
      const written = transfer(pieces, file.position, (bytes, position) =>
        writeSync(file.fd, bytes, 0, bytes.length, position),
      )
      file.position += written
      memory.setU32(result, written)
    },
    fd_pwrite(fd: number, vectors: number, count: number, offset: bigint, result: number) {
      memory.setU32(result, 0)
      const { fd: own } = descriptors.file(fd)
      const written = transfer(memory.vectors(vectors, count), positionOf(offset), (bytes, position) =>
        writeSync(own, bytes, 0, bytes.length, position),
      )
      memory.setU32(result, written)
    },
    fd_seek(fd: number, offset: bigint, whence: number, result: number) {
      const file = descriptors.file(fd)
      const origins = { [SEEK.set]: 0, [SEEK.current]: file.position, [SEEK.end]: sizeOf(file) }
      if (!Object.hasOwn(origins, whence)) throw new WasiError('inval')
      const position = BigInt(origins[whence as keyof typeof origins]) + offset
      if (position < 0n) throw new WasiError('inval')
      file.position = positionOf(position)
      memory.setU64(result, position)
    },
    fd_tell: (fd: number, result: number) => memory.setU64(result, BigInt(descriptors.file(fd).position)),
    // Node's permission model knows no files by number, and closes this to everybody; then it is not supported.
    fd_sync: (fd: number) => synced(fd, fsyncSync),
    fd_datasync: (fd: number) => synced(fd, fdatasyncSync),
    fd_advise: (fd: number) => void descriptors.file(fd),

    fd_fdstat_get(fd: number, result: number) {
      const open = descriptors.get(fd)
      if (open.kind === 'input' || open.kind === 'output') {
        putFdStat(memory, result, { type: FILE_TYPE.characters, flags: 0, rights: STREAM_RIGHTS[open.kind] })
      } else if (open.kind === 'file') {
        const flags = open.isAppending ? FDFLAG.append : 0
        putFdStat(memory, result, { type: FILE_TYPE.file, flags, rights: rightsOf(open) })
      } else {
        putFdStat(memory, result, { type: FILE_TYPE.folder, flags: 0, rights: ALL_RIGHTS })
      }
    },
    fd_fdstat_set_flags(fd: number, flags: number) {
      const open = descriptors.get(fd)
      if ((flags & ~(FDFLAG.append | FDFLAG.nonblock)) !== 0) throw new WasiError('notsup')
      if (open.kind === 'file') open.isAppending = (flags & FDFLAG.append) !== 0
    },
    fd_filestat_get(fd: number, result: number) {
      const open = descriptors.get(fd)
      if (!('fd' in open)) {
        const type = open.kind === 'root' ? FILE_TYPE.folder : FILE_TYPE.characters
        putFileStat(memory, result, { ...BARE_FOLDER, type })
        return
      }
      const stat = fstatSync(open.fd, { bigint: true })
      putFileStat(memory, result, { ...pick(stat), type: fileTypeOf(stat) })
    },
    fd_filestat_set_size(fd: number, size: bigint) {
      const file = descriptors.file(fd)
      if (!file.mayWrite) throw new WasiError('badf')
      ftruncateSync(file.fd, positionOf(size))
    },
    fd_filestat_set_times(fd: number, accessNs: bigint, modifiedNs: bigint, which: number) {
      const open = descriptors.get(fd)
      if (!('fd' in open)) throw new WasiError('notsup')
      if (!open.mayWrite) throw new WasiError('badf')
      const [access, modified] = timesOf(fstatSync(open.fd, { bigint: true }), {
        accessNs,
        modifiedNs,
        which,
      })
      // By its place below /proc, for the same reason as above: of numbers the permission model allows none.
      utimesSync(`/proc/self/fd/${open.fd}`, access, modified)
    },

    fd_prestat_get(fd: number, result: number) {
      if (descriptors.get(fd).kind !== 'root') throw new WasiError('badf')
      const fields = memory.fields(result, 8)
      fields.setUint32(0, 0, true)
      fields.setUint32(4, ROOT_NAME.length, true)
    },
    fd_prestat_dir_name(fd: number, address: number, length: number) {
      if (descriptors.get(fd).kind !== 'root') throw new WasiError('badf')
      if (length >>> 0 < ROOT_NAME.length) throw new WasiError('nametoolong')
      memory.bytes(address, ROOT_NAME.length).set(ROOT_NAME)
    },
    fd_readdir(fd: number, address: number, length: number, cookie: bigint, result: number) {
      const open = descriptors.get(fd)
      if (open.kind === 'root') throw new WasiError('notcapable')
      if (open.kind !== 'folder') throw new WasiError('notdir')
      const space = memory.bytes(address, length)
      memory.setU32(result, list(open, cookie, space))
    },
  }

  function synced(fd: number, sync: (own: number) => void): void {
    const open = descriptors.get(fd)
    if (!('fd' in open)) throw new WasiError('inval')
    try {
      sync(open.fd)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') throw new WasiError('notsup')
      throw error
    }
  }
}

/** Moves bytes piece by piece until the file gives or takes less than it was asked to. */
function transfer(
  pieces: readonly Uint8Array[],
  start: number,
  move: (bytes: Uint8Array, position: number) => number,
): number {
  let moved = 0
  for (const piece of pieces) {
    const bytes = piece.subarray(0, MAX_STEP_BYTES)
    // What was moved is told of; the error comes again with the next call.
    const step = moved === 0 ? move(bytes, start) : attempt(() => move(bytes, start + moved))
    moved += step
    if (step < piece.length) break
  }
  return moved
}

function attempt(move: () => number): number {
  try {
    return move()
  } catch {
    // See above.
    return 0
  }
}

function positionOf(offset: bigint): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError('inval')
  return Number(offset)
}

function sizeOf({ fd }: OpenFile): number {
  return fstatSync(fd).size
}

function rightsOf({ mayRead, mayWrite }: OpenFile): bigint {
  const lacking = (mayRead ? 0n : RIGHT.read) | (mayWrite ? 0n : RIGHT.write)
  return ALL_RIGHTS & ~lacking
}

function pick({ dev, ino, nlink, size, atimeNs, mtimeNs, ctimeNs }: BigIntStats) {
  return { dev, ino, nlink, size, atimeNs, mtimeNs, ctimeNs }
}

/** Writes entries from the cookie on, the last one cut where it does not fit; returns how many bytes. */
function list(folder: OpenDirectory, cookie: bigint, space: Uint8Array): number {
  if (folder.listing === null || cookie === 0n) {
    folder.listing = readdirSync(`/proc/self/fd/${folder.fd}/.`, { withFileTypes: true })
  }
  let used = 0
  for (let at = positionOf(cookie); at < folder.listing.length && used < space.length; at += 1) {
    const entry = folder.listing[at]
    if (entry === undefined) break
    const type = fileTypeOf(entry)
    const bytes = direntBytes(new TextEncoder().encode(entry.name), { next: BigInt(at + 1), inode: 0n, type })
    const fitting = bytes.subarray(0, space.length - used)
    space.set(fitting, used)
    used += fitting.length
  }
  return used
}
