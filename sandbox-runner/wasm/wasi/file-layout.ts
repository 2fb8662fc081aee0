import type { BigIntStats, Dirent } from 'node:fs'
import type { WasiMemory } from './wasi-memory.ts'

/** `filetype` of preview 1. */
export const FILE_TYPE = { unknown: 0, characters: 2, folder: 3, file: 4, link: 7 } as const

/** `rights`: only what tells a reader from a writer is looked at. */
export const RIGHT = { read: 1n << 1n, write: 1n << 6n, readdir: 1n << 14n } as const
export const ALL_RIGHTS = (1n << 30n) - 1n
/** Without seek and tell a library takes it for a terminal, and prints by lines. */
export const STREAM_RIGHTS = { input: RIGHT.read, output: RIGHT.write } as const

export const FDFLAG = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const
export const OPEN_FLAG = { create: 1, folder: 2, exclusive: 4, truncate: 8 } as const
/** `lookupflags`. */
export const FOLLOW_LINKS = 1

const FILESTAT_BYTES = 64
const FDSTAT_BYTES = 24
const DIRENT_BYTES = 24

export function fileTypeOf(entry: BigIntStats | Dirent): number {
  if (entry.isDirectory()) return FILE_TYPE.folder
  if (entry.isFile()) return FILE_TYPE.file
  return entry.isSymbolicLink() ? FILE_TYPE.link : FILE_TYPE.unknown
}

export type FileStat = Pick<
  BigIntStats,
  'dev' | 'ino' | 'nlink' | 'size' | 'atimeNs' | 'mtimeNs' | 'ctimeNs'
> & { readonly type: number }

/** Of what is known to be there, and nothing else of it. */
export const BARE_FOLDER: FileStat = {
  dev: 0n,
  ino: 0n,
  nlink: 1n,
  size: 0n,
  atimeNs: 0n,
  mtimeNs: 0n,
  ctimeNs: 0n,
  type: FILE_TYPE.folder,
}

export function putFileStat(memory: WasiMemory, address: number, stat: FileStat): void {
  const fields = memory.fields(address, FILESTAT_BYTES)
  memory.bytes(address, FILESTAT_BYTES).fill(0)
  fields.setBigUint64(0, BigInt.asUintN(64, stat.dev), true)
  fields.setBigUint64(8, BigInt.asUintN(64, stat.ino), true)
  fields.setUint8(16, stat.type)
  fields.setBigUint64(24, stat.nlink, true)
  fields.setBigUint64(32, stat.size, true)
  fields.setBigUint64(40, BigInt.asUintN(64, stat.atimeNs), true)
  fields.setBigUint64(48, BigInt.asUintN(64, stat.mtimeNs), true)
  fields.setBigUint64(56, BigInt.asUintN(64, stat.ctimeNs), true)
}

export function putFdStat(
  memory: WasiMemory,
  address: number,
  stat: { readonly type: number; readonly flags: number; readonly rights: bigint },
): void {
  const fields = memory.fields(address, FDSTAT_BYTES)
  memory.bytes(address, FDSTAT_BYTES).fill(0)
  fields.setUint8(0, stat.type)
  fields.setUint16(2, stat.flags, true)
  fields.setBigUint64(8, stat.rights, true)
  fields.setBigUint64(16, stat.type === FILE_TYPE.folder ? ALL_RIGHTS : 0n, true)
}

/** One entry of a folder, whole: its head and its name. */
export function direntBytes(
  name: Uint8Array,
  { next, inode, type }: { readonly next: bigint; readonly inode: bigint; readonly type: number },
): Uint8Array {
  const bytes = new Uint8Array(DIRENT_BYTES + name.length)
  const head = new DataView(bytes.buffer)
  head.setBigUint64(0, next, true)
  head.setBigUint64(8, BigInt.asUintN(64, inode), true)
  head.setUint32(16, name.length, true)
  head.setUint8(20, type)
  bytes.set(name, DIRENT_BYTES)
  return bytes
}
