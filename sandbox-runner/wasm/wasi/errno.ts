/** Of preview 1 (https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#-errno-variant), those used here. */
export const ERRNO = {
  success: 0,
  acces: 2,
  again: 6,
  badf: 8,
  busy: 10,
  dquot: 19,
  exist: 20,
  fault: 21,
  fbig: 22,
  ilseq: 25,
  intr: 27,
  inval: 28,
  io: 29,
  isdir: 31,
  loop: 32,
  mfile: 33,
  mlink: 34,
  nametoolong: 37,
  nfile: 41,
  nodev: 43,
  noent: 44,
  nomem: 48,
  nospc: 51,
  notdir: 54,
  notempty: 55,
  notsup: 58,
  notty: 59,
  nxio: 60,
  overflow: 61,
  perm: 63,
  pipe: 64,
  rofs: 69,
  spipe: 70,
  txtbsy: 74,
  xdev: 75,
  notcapable: 76,
} as const

export type Errno = keyof typeof ERRNO

/** A function of WASI ends with this. */
export class WasiError extends Error {
  override readonly name = 'WasiError'
  readonly errno: Errno

  constructor(errno: Errno) {
    super(errno)
    this.errno = errno
  }
}

/** What WASI calls an error of the system's; null for what is none. */
export function errnoOf(error: unknown): Errno | null {
  if (error instanceof WasiError) return error.errno
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  if (error.code === 'ERR_ACCESS_DENIED') return 'notcapable'
  const name = error.code.slice(1).toLowerCase()
  if (Object.hasOwn(ERRNO, name)) return name as Errno
  return 'syscall' in error ? 'io' : null
}
